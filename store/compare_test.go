package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
)

// The functions of this file tell how two answers differ; "" is: not at all.

// diffErrors compares kind, entity and field. The reason is for people.
func diffErrors(pg, lite error) string {
	p, l := errorWords(pg), errorWords(lite)
	if p == l {
		return ""
	}
	return fmt.Sprintf("error %s (%v, cause %v)\n   against %s (%v, cause %v)", p, pg, causeOf(pg), l, lite, causeOf(lite))
}

func errorWords(err error) string {
	if err == nil {
		return "none"
	}
	own, ok := errors.AsType[*model.Error](err)
	if !ok {
		return fmt.Sprintf("%T", err)
	}
	return fmt.Sprintf("%v of %s.%s", own.Kind, own.Entity, own.Field)
}

func causeOf(err error) error {
	if own, ok := errors.AsType[*model.Error](err); ok {
		return own.Cause
	}
	return nil
}

// diffValues compares what two calls returned. JSON is compared as a value, a version
// by its order among all versions seen, a score not at all.
func (p *pair) diffValues(pg, lite reflect.Value) string {
	switch pgValue := pg.Interface().(type) {
	case model.JSON:
		liteValue := lite.Interface().(model.JSON) //nolint:forcetypeassert // of one type
		same, err := model.JSONEqual(pgValue, liteValue)
		if err != nil || !same {
			return fmt.Sprintf("JSON %s against %s (%v)", pgValue, liteValue, err)
		}
		return ""
	case time.Time:
		liteValue := lite.Interface().(time.Time) //nolint:forcetypeassert // of one type
		if !pgValue.Equal(liteValue) || pgValue.Location() != time.UTC || liteValue.Location() != time.UTC {
			return fmt.Sprintf("%v against %v", pgValue, liteValue)
		}
		return ""
	case []byte:
		liteValue := lite.Bytes()
		if !bytes.Equal(pgValue, liteValue) || (pgValue == nil) != (liteValue == nil) {
			return fmt.Sprintf("bytes %#v against %#v", pgValue, liteValue)
		}
		return ""
	case model.RowError:
		liteValue := lite.Interface().(model.RowError) //nolint:forcetypeassert // of one type
		if pgValue.Index != liteValue.Index {
			return fmt.Sprintf("row %d against %d", pgValue.Index, liteValue.Index)
		}
		return diffErrors(pgValue.Err, liteValue.Err)
	case uuid.UUID:
		if pgValue != lite.Interface() {
			return fmt.Sprintf("%v against %v", pgValue, lite)
		}
		return ""
	}
	switch pg.Kind() {
	case reflect.Struct:
		return p.diffStructs(pg, lite)
	case reflect.Slice:
		return p.diffSlices(pg, lite)
	case reflect.Pointer:
		if pg.IsNil() || lite.IsNil() {
			if pg.IsNil() != lite.IsNil() {
				return fmt.Sprintf("%v against %v", pg, lite)
			}
			return ""
		}
		return p.diffValues(pg.Elem(), lite.Elem())
	default:
		if !pg.Equal(lite) {
			return fmt.Sprintf("%#v against %#v", pg, lite)
		}
		return ""
	}
}

func (p *pair) diffStructs(pg, lite reflect.Value) string {
	for i := range pg.NumField() {
		name := pg.Type().Field(i).Name
		var diff string
		switch name {
		case "Score":
		case "Version":
			diff = p.diffVersions(pg.Field(i).Int(), lite.Field(i).Int())
		default:
			diff = p.diffValues(pg.Field(i), lite.Field(i))
		}
		if diff != "" {
			return name + ": " + diff
		}
	}
	return ""
}

func (p *pair) diffSlices(pg, lite reflect.Value) string {
	if pg.Len() != lite.Len() {
		return fmt.Sprintf("%d rows against %d: %s\n   against %s", pg.Len(), lite.Len(), describe(pg), describe(lite))
	}
	for i := range pg.Len() {
		if diff := p.diffValues(pg.Index(i), lite.Index(i)); diff != "" {
			return fmt.Sprintf("row %d of %d: %s", i, pg.Len(), diff)
		}
	}
	return ""
}

// diffVersions holds the engines to the same order of versions, whatever the numbers.
func (p *pair) diffVersions(pg, lite int64) string {
	known, ok := p.pgVersionsToLite[pg]
	if ok && known == lite {
		return ""
	}
	if ok {
		return fmt.Sprintf("version %d was %d and is %d", pg, known, lite)
	}
	for otherPG, otherLite := range p.pgVersionsToLite {
		if (otherPG < pg) != (otherLite < lite) {
			return fmt.Sprintf("versions %d and %d against %d and %d: another order", otherPG, pg, otherLite, lite)
		}
	}
	p.pgVersionsToLite[pg] = lite
	return ""
}

// byID puts rows whose order is the engine's own into one order.
func byID(rows []model.MemorySearchRow) {
	slices.SortFunc(rows, func(a, b model.MemorySearchRow) int { return bytes.Compare(a.ID[:], b.ID[:]) })
}

// describe writes a value with the texts in it as Go would write them.
func describe(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case model.JSON:
		return fmt.Sprintf("%.300q", string(value))
	case time.Time:
		return value.Format(time.RFC3339Nano)
	case uuid.UUID:
		return value.String()
	}
	switch v.Kind() {
	case reflect.String:
		return fmt.Sprintf("%.300q", v.String())
	case reflect.Float64:
		return fmt.Sprintf("%v(%#x)", v, math.Float64bits(v.Float()))
	case reflect.Pointer:
		if v.IsNil() {
			return "nil"
		}
		return "&" + describe(v.Elem())
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return fmt.Sprintf("%#v", v)
		}
		rows := make([]string, v.Len())
		for i := range rows {
			rows[i] = "\n      " + describe(v.Index(i))
		}
		return "[" + strings.Join(rows, "") + "]"
	case reflect.Struct:
		fields := make([]string, v.NumField())
		for i := range fields {
			fields[i] = v.Type().Field(i).Name + ":" + describe(v.Field(i))
		}
		return "{" + strings.Join(fields, " ") + "}"
	default:
		return fmt.Sprintf("%v", v)
	}
}
