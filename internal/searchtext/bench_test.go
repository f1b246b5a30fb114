package searchtext_test

import (
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/internal/searchtext"
	"github.com/hal9-ai/hal9/internal/searchtext/searchtexttest"
)

const memory = "The deployment failed at 14:05 because the database was running out of connections; " +
	"we've raised the pool's limit from 20 to 50 and restarted the workers one after another. " +
	"Müller suggested that the café's dashboard should warn earlier, and that the retries of the ingest service need jitter (see RFC-12)."

func BenchmarkAnalyze(b *testing.B) {
	texts := searchtexttest.HugeTexts()
	texts["a memory"] = memory
	texts["prose"] = prose()
	for name, text := range texts {
		b.Run(strings.ReplaceAll(name, " ", "_"), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				searchtext.Analyze(text)
			}
		})
	}
}

func BenchmarkHighlight(b *testing.B) {
	for name, text := range map[string]string{"a memory": memory, "prose": prose()} {
		q, err := searchtext.ParseQuery(`"running out" jitter zebra`)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(strings.ReplaceAll(name, " ", "_"), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				searchtext.Highlight(text, q, searchtext.HighlightOptions{})
			}
		})
	}
}

func BenchmarkParseQuery(b *testing.B) {
	for b.Loop() {
		if _, err := searchtext.ParseQuery(`"running out" of connections café`); err != nil {
			b.Fatal(err)
		}
	}
}

// prose is a text of searchtexttest.MaxContent bytes with ten thousand different words beside
// those of a memory.
func prose() string {
	return searchtexttest.Fill(func(i int) string { return memory + " " + searchtexttest.ShortWord(i%10_000*7919) + "ing " })
}
