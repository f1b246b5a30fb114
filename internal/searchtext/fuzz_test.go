package searchtext_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hal9-ai/hal9/internal/searchtext"
	"github.com/hal9-ai/hal9/internal/searchtext/searchtexttest"
)

func FuzzAnalyze(f *testing.F) {
	atoms := searchtexttest.Atoms()
	for _, atom := range atoms {
		f.Add(atom)
	}
	f.Add(strings.Join(atoms, ""))
	f.Add(strings.Join(atoms, " "))
	f.Fuzz(func(t *testing.T, text string) {
		searchText := searchtext.Analyze(text)
		checkTokens(t, searchText)
		if len(searchText) > searchtext.MaxBytes {
			t.Errorf("search text of %d bytes", len(searchText))
		}
		if again := searchtext.Analyze(text); again != searchText {
			t.Errorf("Analyze(%q) is first %q, then %q", text, searchText, again)
		}
	})
}

func FuzzParseQuery(f *testing.F) {
	for _, seed := range []string{
		"", `"`, `""`, `"a b`, `a "b c" d`, `C++`, `-x`, `a AND (b OR c*)`, `NEAR(a b, 3)`, `col:x`, `'a' <-> 'b':*`,
		`'; DROP TABLE memories; --`, "“new york”", "\x00", "\xff\"\xff", strings.Repeat("a ", 65), strings.Repeat("ﷺ", 20),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := searchtext.ParseQuery(text)
		if err != nil {
			return // There is one error, and TestParseQueryLimit is about it.
		}
		checkTokens(t, strings.Join(q.Terms, " "))
		if len(q.Terms) > searchtext.MaxQueryWords {
			t.Errorf("%d terms", len(q.Terms))
		}
		var phrases []string
		if err := json.Unmarshal([]byte(q.PhrasesJSON()), &phrases); err != nil || len(phrases) != len(q.Phrases) {
			t.Errorf("PhrasesJSON() = %s, error %v", q.PhrasesJSON(), err)
		}
		for _, phrase := range phrases {
			if tokens := checkTokens(t, phrase); len(tokens) < 2 {
				t.Errorf("phrase %q of one token", phrase)
			}
		}
		checkFinds(t, q, text)

		snippet := searchtext.Highlight(text, q, searchtext.HighlightOptions{MaxRunes: 20})
		if !utf8.ValidString(snippet.HTML()) {
			t.Errorf("snippet %q is ill-formed", snippet.HTML())
		}
	})
}
