package searchtext_test

import (
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/internal/searchtext"
	"github.com/hal9-ai/hal9/internal/searchtext/searchtexttest"
)

func TestHugeTextsStayWithinLimits(t *testing.T) {
	t.Parallel()

	for name, text := range searchtexttest.HugeTexts() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			searchText := searchtext.Analyze(text)
			tokens := checkTokens(t, searchText)
			if len(searchText) > searchtext.MaxBytes {
				t.Errorf("search text of %d bytes, more than %d", len(searchText), searchtext.MaxBytes)
			}
			if size := searchtexttest.VectorBytes(tokens); size > searchtext.MaxVectorBytes {
				t.Errorf("tsvector of %d bytes, more than %d", size, searchtext.MaxVectorBytes)
			}
		})
	}
}

// Only the end of a text is left out, and no more of it than needed.
func TestCutTextKeepsItsBeginning(t *testing.T) {
	t.Parallel()

	huge := searchtexttest.HugeTexts()
	text := huge["short numbers"]
	tokens := checkTokens(t, searchtext.Analyze(text))
	for i, number := range strings.Fields(text)[:len(tokens)] {
		if i%37 != 0 && i < len(tokens)-100 {
			continue // a sample, and the end where it is cut
		}
		if want := searchtext.Analyze(number); tokens[i] != want {
			t.Fatalf("token %d is %q, want %q", i, tokens[i], want)
		}
	}
	if size := searchtexttest.VectorBytes(tokens); size < searchtext.MaxVectorBytes*8/10 {
		t.Errorf("cut at a tsvector of %d bytes, long before %d", size, searchtext.MaxVectorBytes)
	}
	if len(tokens) == len(strings.Fields(text)) {
		t.Error("the text was not cut: it does not test what it should")
	}

	// A long text of few different words needs no cut.
	text = huge["words repeated"]
	if got, want := len(checkTokens(t, searchtext.Analyze(text))), len(strings.Fields(text)); got != want {
		t.Errorf("%d tokens of %d words", got, want)
	}
}
