package diag_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/hal9-ai/hal9/internal/storegen/diag"
)

func TestWrite(t *testing.T) {
	t.Parallel()
	source := fstest.MapFS{"a.sql": {Data: []byte("one\n  two\n")}, "b.sql": {Data: []byte("uno")}}
	list := diag.List{
		{At: diag.Place{File: "b.sql", Line: 1}, Query: "Q", Message: "later", Mend: "this\nor that"},
		{At: diag.Place{File: "a.sql", Line: 2}, Message: "first"},
		{
			At: diag.Place{File: "a.sql", Line: 9}, Query: "Q", Message: "compared",
			See: []diag.Place{{File: "a.sql", Line: 9, Note: "beyond the end"}, {File: "b.sql", Line: 1, Note: "uno"}, {File: "gone.sql"}},
		},
		{At: diag.Place{File: "a.sql", Line: 2}, Message: "first"},
	}
	list.Sort()
	var got strings.Builder
	if err := list.Write(&got, source); err != nil {
		t.Fatal(err)
	}
	want := `a.sql:2: first
        | two
a.sql:9: Q: compared
    a.sql:9: beyond the end
    b.sql:1: uno
        | uno
    gone.sql
b.sql:1: Q: later
        | uno
    mend: this
          or that
`
	if got.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", got.String(), want)
	}
}

func TestNear(t *testing.T) {
	t.Parallel()
	words := []string{"engine", "returns", "cache", "read", "invalidates"}
	for word, want := range map[string]string{
		"engine": "engine", "engnie": "engine", "engines": "engine", "return": "returns", "cahce": "cache",
		"reads": "read", "invaldate": "invalidates", "condition": "", "note": "", "errors": "", "": "",
	} {
		if got := diag.Near(word, words); got != want {
			t.Errorf("%s: got %q, want %q", word, got, want)
		}
	}
}
