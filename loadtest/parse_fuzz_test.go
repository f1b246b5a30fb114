package loadtest_test

import (
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/loadtest"
)

// A scenario that is taken can be run: it lasts, has users, and its shares are none that
// are nothing.
func FuzzParse(f *testing.F) {
	for _, name := range loadtest.BuiltinNames() {
		text, err := loadtest.Builtin(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, text := range []string{"", "# nothing\n", "---\n", "null\n", "[]\n", "x: 1\n", "a: &a {b: *a}\n", "stages: [{users: 1e9, for: 1h}]\n", "name: !!binary x\n", "stages: [{users: 1, for: 9999999h}]\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := loadtest.Parse(text)
		if err != nil {
			if strings.TrimSpace(err.Error()) == "" {
				t.Error("an error without words")
			}
			return
		}
		if s.Duration() <= 0 || s.MaxUsers() <= 0 {
			t.Errorf("it lasts %v and has %d users", s.Duration(), s.MaxUsers())
		}
	})
}
