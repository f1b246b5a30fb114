package server

import (
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hal9-ai/hal9/model"
)

// moment is a bound of a time range in a query. The first moment of the year 1 is the zero
// time, so that only given tells whether there is one.
type moment struct {
	at    time.Time
	given bool
}

// Schema implements huma.SchemaProvider.
func (moment) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time"}
}

// Receiver implements huma.ParamWrapper.
func (m *moment) Receiver() reflect.Value { return reflect.ValueOf(&m.at).Elem() }

// OnParamSet implements huma.ParamReactor.
func (m *moment) OnParamSet(given bool, _ any) { m.given = given }

// bound is the moment in microseconds, rounded up: stored times are whole microseconds,
// so that the same ones lie on each side of it.
func (m moment) bound(location string, absent time.Time) (time.Time, error) {
	if !m.given {
		return absent, nil
	}
	if y := m.at.UTC().Year(); y < 1 || y > 9999 {
		return absent, invalidField(location, "must lie in the years 1 to 9999")
	}
	if whole := model.NormalTime(m.at); !whole.Equal(m.at) && whole.Before(model.MaxTime()) {
		return whole.Add(time.Microsecond), nil
	}
	return model.NormalTime(m.at), nil
}
