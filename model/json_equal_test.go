package model_test

import (
	"testing"

	"github.com/hal9-ai/hal9/model"
)

func TestJSONEqual(t *testing.T) {
	t.Parallel()
	tests := []struct {
		a, b string
		want bool
	}{
		{`{}`, `{ }`, true},
		{`{"a":1,"b":[true,null]}`, `{"b": [true, null], "a": 1}`, true},
		{`{"a":1}`, `{"a":2}`, false},
		{`{"a":1}`, `{"a":1,"b":null}`, false},
		{`{"a":{}}`, `{"a":[]}`, false},
		{`[1,2]`, `[2,1]`, false},
		{`"\u00e9"`, `"é"`, true},
		{`"1"`, `1`, false},
		{`null`, `false`, false},
		{`100`, `1e2`, true},
		{`100`, `1.00E+2`, true},
		{`0.001`, `1e-3`, true},
		{`-0`, `0.0e5`, true},
		{`-1`, `1`, false},
		{`10`, `1`, false},
		{`9007199254740993`, `9007199254740992`, false},
	}
	for _, test := range tests {
		for _, pair := range [][2]string{{test.a, test.b}, {test.b, test.a}} {
			got, err := model.JSONEqual(model.JSON(pair[0]), model.JSON(pair[1]))
			if err != nil || got != test.want {
				t.Errorf("JSONEqual(%s, %s) = %t, %v, want %t", pair[0], pair[1], got, err, test.want)
			}
		}
	}
}

func TestJSONEqualRefusesBrokenText(t *testing.T) {
	t.Parallel()
	for _, broken := range []string{``, `{`, `[1,`, `{"a":}`, `{} {}`, `1e99999999999`} {
		if _, err := model.JSONEqual(model.JSON(broken), model.EmptyObject()); err == nil {
			t.Errorf("JSONEqual(%q, {}) gave no error", broken)
		}
	}
}
