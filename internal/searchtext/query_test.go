package searchtext_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/internal/searchtext"
)

func TestParseQuery(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		name, text     string
		terms, phrases []string
	}{
		{"empty", "", nil, nil},
		{"nothing but signs", `"" -- + "…"`, nil, nil},
		{"words", "Running café", []string{"run", "cafe"}, nil},
		{"each word once", "run running RUNS", []string{"run"}, nil},
		{"phrase", `"New York" pizza`, []string{"new", "york", "pizza"}, []string{"new york"}},
		{"each phrase once", `"a b" "A B"`, []string{"a", "b"}, []string{"a b"}},
		{"phrase with a word twice", `"to be or not to be"`, []string{"to", "be", "or", "not"}, []string{"to be or not to be"}},
		{"phrase of one word", `"running"`, []string{"run"}, nil},
		{"phrase of one written word", `"3.14"`, []string{"xd3", "xd14"}, []string{"xd3 xd14"}},
		{"curly quotes", "“new york” «los angeles»", []string{"new", "york", "los", "angel"}, []string{"new york", "los angel"}},
		{"open quote", `a "b c`, []string{"a", "b", "c"}, nil},
		{"quote opened again", `"a b" "c d`, []string{"a", "b", "c", "d"}, []string{"a b"}},
		{"quotes without spaces", `a"b c"d`, []string{"a", "b", "c", "d"}, []string{"b c"}},
		{
			"operators", `a AND b OR NOT c NEAR(d, 2) e* ^f col:g`,
			[]string{"a", "and", "b", "or", "not", "c", "near", "d", "xd2", "e", "f", "col", "g"},
			nil,
		},
		{"tsquery operators", `a & b | !c <-> d:*`, []string{"a", "b", "c", "d"}, nil},
		{"SQL", `'; DROP TABLE memories; --`, []string{"drop", "tabl", "memori"}, nil},
		{"C++ -x", `C++ -x`, []string{"c", "xxx"}, nil},
		{"ill-formed", "\xff\"a\xc3 b\"", []string{"a", "b"}, []string{"a b"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			q, err := searchtext.ParseQuery(tt.text)
			if err != nil {
				t.Fatalf("ParseQuery(%q): %v", tt.text, err)
			}
			if !slices.Equal(q.Terms, tt.terms) || !slices.Equal(q.Phrases, tt.phrases) {
				t.Errorf("ParseQuery(%q) = terms %q, phrases %q; want %q, %q", tt.text, q.Terms, q.Phrases, tt.terms, tt.phrases)
			}
			if q.Empty() != (len(tt.terms) == 0) {
				t.Errorf("ParseQuery(%q).Empty() = %v", tt.text, q.Empty())
			}
		})
	}
}

func TestQueryForTheEngines(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct{ text, match, phrases string }{
		{``, ``, `[]`},
		{`or 3`, `"or" "xd3"`, `[]`},
		{`a "b c" "d e"`, `"a" "b" "c" "d" "e"`, `["b c","d e"]`},
	} {
		q, err := searchtext.ParseQuery(tt.text)
		if err != nil {
			t.Fatalf("ParseQuery(%q): %v", tt.text, err)
		}
		if got := q.Match(); got != tt.match {
			t.Errorf("%q: Match() = %s, want %s", tt.text, got, tt.match)
		}
		if got := q.PhrasesJSON(); got != tt.phrases || !json.Valid([]byte(got)) {
			t.Errorf("%q: PhrasesJSON() = %s, want %s", tt.text, got, tt.phrases)
		}
	}
}

func TestParseQueryLimit(t *testing.T) {
	t.Parallel()

	const most = searchtext.MaxQueryWords
	for _, tt := range []struct {
		name, text string
		refused    bool
	}{
		{"as many as allowed", strings.Repeat("word ", most), false},
		{"one more", strings.Repeat("word ", most+1), true},
		{"one phrase", `"` + strings.Repeat("a b ", most/2) + `c"`, true},
		{"many phrases", strings.Repeat(`"a b" `, most/2+1), true},
		{"no words", strings.Repeat(`"+`, 1<<20), false},
		{"a few characters, many words", strings.Repeat("ﷺ", most), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			q, err := searchtext.ParseQuery(tt.text)
			var tooMany *searchtext.TooManyWordsError
			if errors.As(err, &tooMany) != tt.refused || (err != nil) != tt.refused {
				t.Fatalf("error %v, want one: %v", err, tt.refused)
			}
			if !tt.refused {
				return
			}
			if tooMany.Limit != most || !strings.Contains(tooMany.Error(), "64 words") {
				t.Errorf("error %q with limit %d does not name the limit %d", tooMany, tooMany.Limit, most)
			}
			if !q.Empty() {
				t.Errorf("a refused query has the terms %q", q.Terms)
			}
		})
	}
}
