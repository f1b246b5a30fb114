package stream_test

import (
	"testing"

	"github.com/hal9-ai/hal9/stream"
)

// What is taken for a Last-Event-ID names one place, which its own text names again.
func FuzzPosition(f *testing.F) {
	for _, text := range []string{"hds4k2.abc.1z", "0..0", "+1.x.1", "-1.x.1", "zzzzzzzzzzzzz.x.1", "a.b", "a.b.c.d", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := stream.ParsePosition(text)
		if err != nil {
			return
		}
		again, err := stream.ParsePosition(p.String())
		if err != nil || again != p {
			t.Errorf("%q is %+v, then %+v, %v", text, p, again, err)
		}
	})
}
