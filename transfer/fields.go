package transfer

import (
	"time"
)

// fieldFate is what became of a value that is not stored as it is.
type fieldFate struct {
	column string
	how    string
	aside  bool // kept elsewhere, rather than stored in another form
}

// FieldReport tells what became of the values of one column: Values is the sum of
// AsIs, Converted, KeptElsewhere, AlreadyThere and Skipped.
type FieldReport struct {
	Column string `json:"column"`
	Values int64  `json:"values"` // that are not NULL
	Nulls  int64  `json:"nulls"`
	AsIs   int64  `json:"as_is"`
	// Converted counts values stored in another form, by how.
	Converted []ReasonCount `json:"converted"`
	// KeptElsewhere counts values that did not fit, by where they are.
	KeptElsewhere []ReasonCount `json:"kept_elsewhere"`
	// AlreadyThere counts values of rows that were stored before.
	AlreadyThere int64 `json:"already_there"`
	// Skipped counts values of rows that were not imported.
	Skipped int64 `json:"skipped"`
}

// given tells for each column of a row whether it has a value; a pending row needs
// no more of its source.
func (r *row) given() []bool {
	given := make([]bool, len(r.values))
	for i, v := range r.values {
		given[i] = v != nil || r.tooBig != "" && r.index[r.tooBig] == i
	}
	return given
}

func (t *TableReport) fieldsOf(s *tableSchema) {
	if t.Fields != nil {
		return
	}
	t.Fields = make([]FieldReport, len(s.order))
	for i, column := range s.order {
		t.Fields[i] = FieldReport{Column: column, Converted: []ReasonCount{}, KeptElsewhere: []ReasonCount{}}
	}
}

// countFields counts the values of a row whose fate is known.
func (t *TableReport) countFields(given []bool, fates []fieldFate, end fate) {
	for i := range t.Fields {
		f := &t.Fields[i]
		if !given[i] {
			f.Nulls++
			continue
		}
		f.Values++
		switch end {
		case refused:
			f.Skipped++
		case present:
			f.AlreadyThere++
		case written:
			f.store(fates)
		}
	}
}

// store counts one stored value. Of several things that became of it, the last one
// that took it elsewhere counts, otherwise the last one.
func (f *FieldReport) store(fates []fieldFate) {
	var last *fieldFate
	for i := range fates {
		if fates[i].column == f.Column && (last == nil || fates[i].aside || !last.aside) {
			last = &fates[i]
		}
	}
	switch {
	case last == nil:
		f.AsIs++
	case last.aside:
		f.KeptElsewhere = count(f.KeptElsewhere, last.how)
	default:
		f.Converted = count(f.Converted, last.how)
	}
}

func (f *FieldReport) sort() {
	sortCounts(f.Converted)
	sortCounts(f.KeptElsewhere)
}

// timeForm tells of a time that was not written as epoch seconds.
func (r *row) timeForm(column string, v any, t time.Time) {
	switch v := v.(type) {
	case int64:
		if v != t.Unix() {
			r.reshaped(column, "a time in smaller units than seconds")
		}
	case float64:
		r.reshaped(column, "a time as a floating-point number")
	default:
		r.reshaped(column, "a time written as text")
	}
}
