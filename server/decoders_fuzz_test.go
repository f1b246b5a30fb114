package server //nolint:testpackage // decoders have no public door of their own

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"
)

// What the strict decoder takes is JSON to the standard library too, holds no broken
// UTF-8 and is no deeper than allowed; what it says of the rest repeats no text of it.
func FuzzJSONBody(f *testing.F) {
	for _, text := range []string{
		`{}`, `[1,"a",{"b":null}]`, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `"\ud800"`, `"\ud83d\ude80"`, "\"\xff\"", "\"\xc0\x80\"", `1e999`, `-0`, `01`, `NaN`, `nul`,
		`"\u0000"`, "\ufeff{}", `{} x`, `{}` + "\x00", strings.Repeat("[", 65), strings.Repeat("[", 64) + strings.Repeat("]", 64), `{"":{"":[{}]}}`, `"\x"`, "\"\n\"", `123456789012345678901234567890`,
	} {
		f.Add([]byte(text))
	}
	const depth = 64
	f.Fuzz(func(t *testing.T, body []byte) {
		v, err := decodeValue(body, depth)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "invalid JSON") || len(err.Error()) > 300 || !utf8.ValidString(err.Error()) {
				t.Errorf("%q: %v", body, err)
			}
			return
		}
		if !json.Valid(body) || !utf8.Valid(body) {
			t.Errorf("taken: %q", body)
		}
		if deep := depthOf(v); deep > depth {
			t.Errorf("%d deep", deep)
		}
	})
}

func depthOf(v any) int {
	deepest := 0
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			deepest = max(deepest, depthOf(item))
		}
	case map[string]any:
		for _, item := range v {
			deepest = max(deepest, depthOf(item))
		}
	default:
		return 0
	}
	return deepest + 1
}

// A stream is cut into lines that are together the stream, plain or compressed, however
// it is broken; a bomb ends at the longest line.
func FuzzBulkStream(f *testing.F) {
	plain := []byte("{\"content\":\"x\"}\n\n{}\r\nno end")
	var zipped, zstded bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write(plain)
	_ = z.Close()
	s, err := zstd.NewWriter(&zstded)
	if err != nil {
		f.Fatal(err)
	}
	_, _ = s.Write(plain)
	_ = s.Close()
	f.Add("", plain)
	f.Add("gzip", zipped.Bytes())
	f.Add("zstd", zstded.Bytes())
	f.Add("gzip", zipped.Bytes()[:zipped.Len()-5])
	f.Add("zstd", append(slices.Clone(zstded.Bytes()), zstded.Bytes()...))
	f.Add("br", plain)
	f.Fuzz(func(t *testing.T, encoding string, body []byte) {
		r, done, known, err := decodeBody(encoding, bytes.NewReader(body))
		if !known || err != nil {
			return
		}
		defer done()
		const most = 64 << 20 // of a bomb
		read := io.LimitReader(r, most)
		lines := newLineReader(read)
		var whole bytes.Buffer
		for {
			before := lines.offset
			line, err := lines.read()
			if err != nil {
				if !errors.Is(err, io.EOF) && lines.offset != before {
					t.Error("what broke off was counted")
				}
				break
			}
			if len(line) > maxBulkLine+bulkReadSize || bytes.IndexByte(line, '\n') >= 0 {
				t.Fatalf("a line of %d bytes", len(line))
			}
			if encoding == "" {
				_, _ = whole.Write(body[before:lines.offset])
				if !bytes.HasPrefix(body[before:], line) {
					t.Error("the line is another one")
				}
			}
		}
		if encoding == "" && len(body) < maxBulkLine && whole.Len() != len(body) {
			t.Errorf("%d of %d bytes", whole.Len(), len(body))
		}
	})
}

// A cursor that is taken is one that the list gives.
func FuzzCursor(f *testing.F) {
	f.Add("AW5uZXVyb24tbDI")
	f.Add("AXMABj5GZDAoABmS1Px8AHoxjVIOb0scmnA")
	f.Add("")
	f.Add("AQ")
	f.Add("AW5u\nZXVyb24tbDI")
	f.Fuzz(func(t *testing.T, cursor string) {
		for _, list := range []byte{cursorNeurons, cursorSignals, cursorMemories, cursorUsers, cursorAudit} {
			if key, err := decodeTextCursor(list, cursor); err == nil && encodeTextCursor(list, key) != cursor {
				t.Errorf("%q is taken for the cursor of %q", cursor, key)
			}
			if at, id, err := decodeTimeCursor(list, cursor); err == nil && encodeTimeCursor(list, at, id) != cursor {
				t.Errorf("%q is taken for the cursor of %v, %v", cursor, at, id)
			}
		}
	})
}

// Tags that are taken are read the same again; nothing else is a tag.
func FuzzETags(f *testing.F) {
	for _, line := range []string{`"17-1"`, `W/"a", "b"`, `*`, `"a"b`, `"`, `,,"x",`, `"é"`, "\"\x00\""} {
		f.Add(line, line)
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		tags, fault := parseETags([]string{one, two})
		if fault != "" {
			return
		}
		again, fault := parseETags([]string{strings.Join(tags, ", ")})
		if fault != "" || !slices.Equal(tags, again) || len(tags) == 0 || len(tags) > maxETags {
			t.Errorf("%q, %q: %q, then %q %s", one, two, tags, again, fault)
		}
	})
}

// A key that is taken has 1 to 255 visible characters, and is the same in quotes.
func FuzzIdempotencyKey(f *testing.F) {
	for _, key := range []string{"a", `"a"`, `""`, `"`, "a b", "é", strings.Repeat("k", 256), `"a"b"`, "\x7f"} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, value string) {
		key, refusal := readIdempotencyKey([]string{value})
		if refusal != nil {
			return
		}
		quoted, refusal := readIdempotencyKey([]string{`"` + key + `"`})
		if refusal != nil || quoted != key || key == "" || len(key) > 255 || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("%q is the key %q", value, key)
		}
	})
}

// Nobody but a trusted proxy moves the address of a client, and what comes out is an
// address that somebody wrote, or the connection's.
func FuzzClientAddress(f *testing.F) {
	f.Add("10.0.0.1:1", "1.2.3.4, 10.0.0.2", "", true)
	f.Add("10.0.0.1:1", "", `for="[2001:db8::1]:80";by=x, for=10.0.0.2`, true)
	f.Add("192.0.2.1:1", "1.2.3.4", "for=1.2.3.4", true)
	f.Add("[::ffff:10.0.0.1%eth0]:1", "::ffff:1.2.3.4", `for="_x", for="\"`, false)
	f.Add("@", ",,", ";=,", false)
	s := &Server{cfg: Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}
	f.Fuzz(func(t *testing.T, remote, old, standard string, both bool) {
		r := &http.Request{RemoteAddr: remote, Header: http.Header{"X-Forwarded-For": {old}}}
		if both {
			r.Header["Forwarded"] = []string{standard}
		}
		got := s.clientAddress(r)
		connection, err := netip.ParseAddrPort(remote)
		if err != nil {
			if got.IsValid() {
				t.Errorf("%q is %v", remote, got)
			}
			return
		}
		peer := connection.Addr().Unmap().WithZone("")
		if got != peer && !s.trusted(peer) {
			t.Errorf("%v was believed, and says %v", peer, got)
		}
		if !got.IsValid() || got.Zone() != "" || got.Is4In6() {
			t.Errorf("%v", got)
		}
	})
}

// A query is refused at a place that is told, and always the same one; filters are
// short.
func FuzzQuery(f *testing.F) {
	for _, query := range []string{"neuron=a&layer=L1&since=2026-01-31T12:00:00Z", "since=x", "a=1&a=2", "%zz", "x=%00", "%ff=1&b=%ff", "layer=L9&neuron=" + strings.Repeat("é", 256), ";", "&&"} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		told := func() string {
			if p := guardQuery(query); p != nil {
				return fmt.Sprint(p.Errors)
			}
			r := httptest.NewRequest(http.MethodGet, "http://localhost/", nil)
			r.URL.RawQuery = query
			filter, _, p := streamQuery(r)
			if p != nil {
				return fmt.Sprint(p.Errors)
			}
			for _, v := range []string{filter.Neuron, filter.FromNeuron, filter.ToNeuron, filter.Layer, filter.PropagationType} {
				if utf8.RuneCountInString(v) > maxName || strings.IndexByte(v, 0) >= 0 || !utf8.ValidString(v) {
					t.Errorf("a filter by %q", v)
				}
			}
			return ""
		}
		first := told()
		if first != "" && !strings.HasPrefix(first, "[{query") || first != told() {
			t.Errorf("%q: %s, then %s", query, first, told())
		}
	})
}
