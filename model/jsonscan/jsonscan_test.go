package jsonscan_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/hal9-ai/hal9/model/jsonscan"
)

const depth = 8

// texts are what the two must agree on: the accepted ones are what clients send.
func texts() (accepted, doubtful []string) {
	accepted = []string{
		`{}`, `[]`, `null`, `true`, `false`, `0`, `-0`, `1.5`, `-12.25e-07`, `1E+10`, `""`, ` { "a" : [ 1 , { "b" : null } ] } `,
		`{"priority":3,"tags":["a","b"],"note":"x\n\"y\"\\ \u00e9 \ud83d\ude80 é 🚀"}`, `"eight by"`, `"a\/\b\f\n\r\t"`,
		`"` + strings.Repeat("long text é ", 50) + `"`, strings.Repeat("[", depth) + strings.Repeat("]", depth),
		`{"a":{"a":1},"b":{"a":1}}`, strings.Repeat("9", 300), `"\uD83D\uDE80"`, `"` + "\u007f" + `"`, "\"\u2028\"",
	}
	doubtful = []string{
		``, ` `, `{`, `}`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{"a":1 "b":2}`, `{,}`, `[1,]`, `[1 2]`, `[`, `nul`, `nullx`, `tru`, `01`, `-`, `1.`, `.5`, `1e`, `+1`, `1e5x`,
		`{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"a":{"b":1,"b":1}}`, "\"\xff\"", "\"\xed\xa0\x80\"", "\"\xc0\x80\"", `"\ud83d"`, `"\ude80"`, `"\ud83dx"`, `"\ud83d\n"`, `"\ud83d\ud83d"`,
		`"\u0000"`, "\"\x00\"", "\"a\nb\"", "\"1234567\n\"", `"\x"`, `"\u12"`, `"\u12g4"`, `"`, `"\`, `"\u`, `"a`, `{} {}`, `1 1`, `1e999`, `1e-999`, "\ufeff{}", `'a'`, `NaN`,
		strings.Repeat("[", depth+1) + strings.Repeat("]", depth+1), strings.Repeat("9", 301), "{}\x00", "{}\v",
	}
	return accepted, doubtful
}

func TestPlain(t *testing.T) {
	t.Parallel()
	accepted, doubtful := texts()
	for _, text := range accepted {
		if !jsonscan.Plain([]byte(text), depth) {
			t.Errorf("in doubt of %s", text)
		}
	}
	for _, text := range doubtful {
		if jsonscan.Plain([]byte(text), depth) {
			t.Errorf("not in doubt of %s", text)
		}
	}
}

// Names are compared however many there are, or the text is left in doubt: a repeated one
// must not slip through behind as many as are kept.
func TestPlainManyNames(t *testing.T) {
	t.Parallel()
	object := func(names int, value string) string {
		var b strings.Builder
		for i := range names {
			fmt.Fprintf(&b, `"n%d":1,`, i)
		}
		return "{" + b.String() + `"last":` + value + "}"
	}
	if text := object(20, object(20, "1")); !jsonscan.Plain([]byte(text), depth) {
		t.Errorf("in doubt of %s", text)
	}
	for names := range 200 {
		for _, text := range []string{
			object(names, `1,"last":2`), object(names, object(names, `1,"last":2`)), object(names, object(names, "1")+`,"last":2`),
		} {
			if jsonscan.Plain([]byte(text), depth) {
				t.Fatalf("not in doubt of %s", text)
			}
		}
	}
}

// A bulk stream looks at one text a row: what each allocated would be most of what the
// stream leaves to the collector.
func TestPlainAllocatesNothing(t *testing.T) {
	text := []byte(`{"priority": 3, "tags": ["a", {"b": null}], "note": "Plan it.", "parent_id": "x"}`)
	if n := testing.AllocsPerRun(100, func() { _ = jsonscan.Plain(text, depth) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// What is accepted is right to jsontext as well, and compact it is the same text.
func FuzzPlain(f *testing.F) {
	accepted, doubtful := texts()
	for _, text := range append(accepted, doubtful...) {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if !jsonscan.Plain(text, depth) {
			return
		}
		before := bytes.Clone(text)
		want := jsontext.Value(bytes.Clone(text))
		if err := want.Compact(); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if got := jsonscan.AppendCompact(nil, text); !bytes.Equal(got, want) {
			t.Fatalf("%q: compact %q, want %q", text, got, want)
		}
		if !bytes.Equal(before, text) {
			t.Fatalf("%q became %q", before, text)
		}
		d := jsontext.NewDecoder(bytes.NewReader(text))
		for {
			tok, err := d.ReadToken()
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			if d.StackDepth() > depth || tok.Kind() == '"' && strings.ContainsRune(tok.String(), 0) {
				t.Fatalf("%q", text)
			}
			if d.StackDepth() == 0 {
				return
			}
		}
	})
}

func BenchmarkPlain(b *testing.B) {
	text := []byte(`{"priority": 3, "tags": ["a", "b"], "note": "Plan the deployment of service number 12345", "parent_id": "0199d2f4-7c00-7a31-8d52-0e6f4b1c9a70"}`)
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if !jsonscan.Plain(text, 64) {
			b.Fatal("in doubt")
		}
	}
}
