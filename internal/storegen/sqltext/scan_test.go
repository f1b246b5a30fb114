package sqltext_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

func TestScan(t *testing.T) {
	t.Parallel()
	kinds := map[sqltext.Kind]string{
		sqltext.Word: "w", sqltext.Quoted: "q", sqltext.String: "s", sqltext.Number: "n",
		sqltext.Param: "p", sqltext.Op: "o", sqltext.Punct: "",
	}
	tests := []struct {
		name   string
		engine sqltext.Engine
		sql    string
		want   string
	}{
		{"parameter", pg, `a = @id`, `w:a o:= p:@id`},
		{"operator swallows the at sign", pg, `a=@id`, `w:a o:=@ w:id`},
		{"the same on SQLite", lite, `a=@id`, `w:a o:= p:@id`},
		{"cast", pg, `@id::uuid[]`, `p:@id o::: w:uuid :[ :]`},
		{"contains", pg, `a @> @x AND b @@ q`, `w:a o:@> p:@x w:AND w:b o:@@ w:q`},
		{"minus behind an operator", pg, `a=-1`, `w:a o:= o:- n:1`},
		{"comment behind an operator", pg, "a=--x\n1", `w:a o:= n:1`},
		{"comment mark behind an operator", pg, "a */* x */ 2", `w:a o:* n:2`},
		{"positional", pg, `$1 $12`, `p:$1 p:$12`},
		{"parameters of SQLite", lite, `? ?12 :a $b @c`, `p:? p:?12 p::a p:$b p:@c`},
		{"numbers", pg, `1 1.5e-3 .5 0xff 1_000`, `n:1 n:1.5e-3 n:.5 n:0xff n:1_000`},
		{"range", pg, `1-2`, `n:1 o:- n:2`},
		{"strings with prefixes", pg, `E'a\'b' b'1' X'ff' N'n' U&'x' U&"y" e1`, `s:E'a\'b' s:b'1' s:X'ff' s:N'n' s:U&'x' q:U&"y" w:e1`},
		{"blob", lite, `x'ff' e 'a\'`, `s:x'ff' w:e s:'a\'`},
		{"non-ASCII", lite, `'é' naïve`, `s:'é' w:naïve`},
		{"brackets", pg, `a[1]`, `w:a :[ n:1 :]`},
		{"bracketed name", lite, `[a b]`, `q:[a b]`},
		{"dollar in a name", pg, `a$1 $tag$x$$y$tag$`, `w:a$1 s:$tag$x$$y$tag$`},
		{"lone dollar", pg, `$ a`, `o:$ w:a`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text, err := sqltext.Scan(tt.engine, tt.sql)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, token := range text.Tokens {
				got = append(got, kinds[token.Kind]+":"+token.Text)
			}
			equal(t, "tokens", strings.Join(got, " "), tt.want)
		})
	}
}

func TestScanLines(t *testing.T) {
	t.Parallel()
	text, err := sqltext.Scan(pg, "-- one\r\nSELECT 'a\nb',\n/* x\ny */ $$\n$$, 2")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, token := range text.Tokens {
		got = append(got, fmt.Sprintf("%q@%d", token.Text, token.Line))
	}
	for _, c := range text.Comments {
		got = append(got, fmt.Sprintf("%q@%d", c.Text, c.Line))
	}
	want := `"SELECT"@2 "'a\nb'"@2 ","@3 "$$\n$$"@5 ","@6 "2"@6 " one"@1 " x\ny "@4`
	equal(t, "tokens", strings.Join(got, " "), want)
}

func TestScanUnended(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, sql, want string }{
		{"string", "a\n'b", "line 2: the string that begins here has no end"},
		{"quoted name", "\"a", "line 1: the quoted name that begins here has no end"},
		{"comment", "a /* b", "line 1: the comment that begins here has no end"},
		{"nested comment", "/* /* */", "line 1: the comment that begins here has no end"},
		{"dollar quotes", "\n\n$x$ $$", "line 3: the string that $x$ begins has no end"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := sqltext.Scan(pg, tt.sql)
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}
