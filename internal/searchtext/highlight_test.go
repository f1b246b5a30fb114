package searchtext_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/hal9-ai/hal9/internal/searchtext"
	"github.com/hal9-ai/hal9/internal/searchtext/searchtexttest"
)

func TestHighlight(t *testing.T) {
	t.Parallel()

	filler := strings.Repeat("lorem ipsum ", 50)
	for _, tt := range []struct {
		name, text, query string
		runes             int
		want              string
	}{
		{"whole text", "Running in the park", "run park", 0, "<mark>Running</mark> in the <mark>park</mark>"},
		{"no query", "plain text", "", 0, "plain text"},
		{"no match", "plain text", "other", 0, "plain text"},
		{"empty text", "", "run", 0, ""},
		{"accents by either form", "CAFÉ, cafe\u0301!", "café", 0, "<mark>CAFÉ</mark>, <mark>cafe\u0301</mark>!"},
		{"ideographs beside each other", "私は東京へ", "東京", 0, "私は<mark>東京</mark>へ"},
		{"apostrophe within", "they don’t", "dont", 0, "they <mark>don’t</mark>"},
		{"part of a written word", "snake_case", "case", 0, "snake_<mark>case</mark>"},
		{"several tokens in one word", "ﷺ!", "محمد الله", 0, "<mark>ﷺ</mark>!"},
		{
			"escaped", `<script>"run" & 'run'</script>`, "run script", 0,
			"&lt;<mark>script</mark>&gt;&#34;<mark>run</mark>&#34; &amp; &#39;<mark>run</mark>&#39;&lt;/<mark>script</mark>&gt;",
		},
		{"ill-formed", "a\xffrun", "run", 0, "a\ufffd<mark>run</mark>"},
		{"words of a phrase only in the phrase", "york new york is new", `"new york"`, 0, "york <mark>new</mark> <mark>york</mark> is new"},
		{"and elsewhere if asked for", "york new york is new", `"new york" new`, 0, "york <mark>new</mark> <mark>york</mark> is <mark>new</mark>"},
		{"overlapping phrases", "a b a b a", `"a b a"`, 0, "<mark>a</mark> <mark>b</mark> <mark>a</mark> <mark>b</mark> <mark>a</mark>"},
		{"cut behind", "one two three four five", "two", 15, "one <mark>two</mark> three…"},
		{"cut before", "one two three four five", "five", 12, "…four <mark>five</mark>"},
		{"cut on both sides", "one two three four five six seven", "four", 16, "…three <mark>four</mark> five…"},
		{"no match, cut", "one two three", "", 8, "one two…"},
		{"no match, one long word", "abcdefgh", "", 4, "abcd…"},
		{"long word matches", "one abcdefgh two", "abcdefgh", 4, "…<mark>abcd</mark>…"},
		{"graphemes stay whole", "e\u0301e\u0301e\u0301", "", 5, "e\u0301e\u0301…"},
		{"spaces at the ends", "  one two  ", "", 7, "one two"},
		{"best cluster", "alpha " + filler + "beta " + filler + "alpha and beta", "alpha beta", 24, "…ipsum <mark>alpha</mark> and <mark>beta</mark>"},
		{"first of equals", "alpha one " + filler + "alpha two", "alpha", 10, "<mark>alpha</mark> one…"},
		{"first of equals, not all found", "alpha one " + filler + "alpha two", "alpha zebra", 10, "<mark>alpha</mark> one…"},
		{"phrase over single words", "new " + filler + "york " + filler + "a new york", `"new york"`, 16, "…ipsum a <mark>new</mark> <mark>york</mark>"},
		{"phrase longer than the snippet", filler + "one two three four", `"one two three four"`, 10, "…<mark>one</mark> <mark>two</mark> <mark>th</mark>…"},
		{"phrase far beyond the snippet", "a b c d e f g", `"a b c d e f g"`, 3, "<mark>a</mark> <mark>b</mark>…"},
		{"escaped within a match", "I don't", "don't", 0, "I <mark>don&#39;t</mark>"},
		{"room at the end goes to the beginning", "one two three four", "four", 14, "…two three <mark>four</mark>"},
		{"every match in the snippet", "run run run", "run", 0, "<mark>run</mark> <mark>run</mark> <mark>run</mark>"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			q := mustParse(t, tt.query)
			got := searchtext.Highlight(tt.text, q, searchtext.HighlightOptions{MaxRunes: tt.runes}).HTML()
			if got != tt.want {
				t.Errorf("%q in %q\n got %s\nwant %s", tt.query, tt.text, got, tt.want)
			}
		})
	}
}

func TestHighlightMaxScan(t *testing.T) {
	t.Parallel()

	text := "first words here " + strings.Repeat("lorem ipsum ", 100) + "needle"
	q := mustParse(t, "needle")
	if got := searchtext.Highlight(text, q, searchtext.HighlightOptions{}); len(got.Ranges) != 1 {
		t.Errorf("without a limit: %+v", got)
	}
	got := searchtext.Highlight(text, q, searchtext.HighlightOptions{MaxScan: 1000})
	if len(got.Ranges) != 0 || !strings.HasPrefix(got.Text, "first words") {
		t.Errorf("a match beyond the limit is found: %+v", got)
	}
}

func TestSnippetsAreWellFormed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := searchtexttest.Text().Draw(t, "text")
		all := searchtexttest.Words(text)
		first := rapid.IntRange(0, len(all)).Draw(t, "first")
		last := rapid.IntRange(first, min(first+5, len(all))).Draw(t, "last")
		query := strings.Join(all[first:last], "")
		q, err := searchtext.ParseQuery(query)
		if err != nil {
			return // The limit has its own test.
		}
		maxRunes := rapid.IntRange(0, 40).Draw(t, "runes")
		s := searchtext.Highlight(text, q, searchtext.HighlightOptions{MaxRunes: maxRunes})

		if maxRunes == 0 {
			maxRunes = searchtext.DefaultSnippetRunes
		}
		if inner := strings.TrimSuffix(strings.TrimPrefix(s.Text, "…"), "…"); utf8.RuneCountInString(inner) > maxRunes {
			t.Errorf("%q has more than %d code points", s.Text, maxRunes)
		}
		if !utf8.ValidString(s.Text) {
			t.Errorf("%q is ill-formed", s.Text)
		}
		if !q.Empty() && len(s.Ranges) == 0 {
			t.Errorf("%q, copied from %q, is not marked in %q", query, text, s.Text)
		}
		end := -1
		for _, r := range s.Ranges {
			if r[0] <= end || r[1] <= r[0] || r[1] > len(s.Text) || !utf8.RuneStart(s.Text[r[0]]) {
				t.Fatalf("ranges %v of %q", s.Ranges, s.Text)
			}
			end = r[1]
		}
	})
}

func mustParse(tb testing.TB, text string) searchtext.Query {
	tb.Helper()
	q, err := searchtext.ParseQuery(text)
	if err != nil {
		tb.Fatalf("ParseQuery(%q): %v", text, err)
	}
	return q
}
