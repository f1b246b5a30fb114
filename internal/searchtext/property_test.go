package searchtext_test

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/hal9-ai/hal9/internal/searchtext"
	"github.com/hal9-ai/hal9/internal/searchtext/searchtexttest"
)

func TestTokensAreStableAndPlain(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := searchtexttest.Text().Draw(t, "text")
		searchText := searchtext.Analyze(text)
		for token := range strings.SplitSeq(searchText, " ") {
			if searchText != "" && !tokenPattern.MatchString(token) {
				t.Errorf("token %q of %q does not match %s", token, text, tokenPattern)
			}
		}
		if again := searchtext.Analyze(text); again != searchText {
			t.Errorf("Analyze(%q) is first %q, then %q", text, searchText, again)
		}
	})
}

// A text is analysed as its words are one by one: nothing is read across the
// borders of the Unicode rules, and the short ways taken for ASCII differ
// nowhere from these rules.
func TestAnalysisIsWordByWord(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := searchtexttest.Text().Draw(t, "text")
		var parts []string
		for _, word := range searchtexttest.Words(text) {
			if tokens := searchtext.Analyze(word); tokens != "" {
				parts = append(parts, tokens)
			}
		}
		if got, want := searchtext.Analyze(text), strings.Join(parts, " "); got != want {
			t.Errorf("Analyze(%q)\n     got %q\nby words %q", text, got, want)
		}
	})
}

// A soft hyphen takes a word off the short way for ASCII and means nothing.
func TestSoftHyphensMeanNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.SampledFrom([]rune("abX19'' .,_-\""))).Draw(t, "text")
		var hyphened strings.Builder
		for _, r := range text {
			hyphened.WriteRune(r)
			if r != ' ' {
				hyphened.WriteRune('\u00ad')
			}
		}
		if got, want := searchtext.Analyze(hyphened.String()), searchtext.Analyze(text); got != want {
			t.Errorf("Analyze(%q) = %q, but without soft hyphens %q", hyphened.String(), got, want)
		}
	})
}

// However a text is normalised, its tokens are the same.
func TestNormalisationMeansNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := searchtexttest.Text().Draw(t, "text")
		if c, d := searchtext.Analyze(norm.NFC.String(text)), searchtext.Analyze(norm.NFD.String(text)); c != d {
			t.Errorf("%q: composed %q, decomposed %q", text, c, d)
		}
	})
}

// Words copied from a text find it, as they are and in quotes.
func TestCopiedWordsFindTheirText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := searchtexttest.Text().Draw(t, "text")
		all := searchtexttest.Words(text)
		first := rapid.IntRange(0, len(all)).Draw(t, "first")
		last := rapid.IntRange(first, len(all)).Draw(t, "last")
		part := strings.Join(all[first:last], "")
		if rapid.Bool().Draw(t, "quoted") {
			part = `"` + part + `"`
		}

		q, err := searchtext.ParseQuery(part)
		if count := len(strings.Fields(searchtext.Analyze(part))); count > searchtext.MaxQueryWords {
			if err == nil {
				t.Errorf("ParseQuery(%q) takes %d words", part, count)
			}
			return
		}
		if err != nil {
			t.Fatalf("ParseQuery(%q): %v", part, err)
		}
		checkFinds(t, q, text)
	})
}

func checkFinds(tb rapid.TB, q searchtext.Query, text string) {
	tb.Helper()
	searchText := searchtext.Analyze(text)
	tokens := strings.Split(searchText, " ")
	for _, term := range q.Terms {
		if !slices.Contains(tokens, term) {
			tb.Errorf("term %q is not in %q, the tokens of %q", term, searchText, text)
		}
	}
	for _, phrase := range q.Phrases {
		if !strings.Contains(" "+searchText+" ", " "+phrase+" ") {
			tb.Errorf("phrase %q is not in %q, the tokens of %q", phrase, searchText, text)
		}
	}
}
