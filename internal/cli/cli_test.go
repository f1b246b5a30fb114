package cli_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/internal/cli"
)

type lent struct {
	JSON bool `help:"Write JSON." name:"json"`
}

// Keys lends flags that are no fields.
type Keys struct {
	texts map[string]string
}

func (k *Keys) Flags() []*cli.Flag {
	return []*cli.Flag{cli.TextFlag("log-level", "debug|info", "How much to tell.", "Log", func(text string) { k.texts["log.level"] = text })}
}

type sendCmd struct {
	To       string         `arg:"" help:"Who gets it."`
	Words    []string       `arg:"" help:"What to say." name:"WORD" optional:""`
	Times    int            `default:"2" help:"How often." placeholder:"N"`
	After    *time.Duration `help:"How long to wait first." placeholder:"DURATION"`
	Tags     []string       `help:"Words to find it by." placeholder:"TAG"`
	Rules    []string       `help:"Rules with commas in them." name:"rule" sep:"none"`
	Priority string         `default:"low" enum:"low,high" help:"One of ${enum}."`
	Fast     bool           `help:"Hurry." xor:"speed"`
	SlowDown bool           `help:"Take the time." xor:"speed"`
	Secret   string         `help:"Works, and is not shown." hidden:""`
	lent
	Keys
}

func (sendCmd) Help() string { return "Sends it.\n\nExample:\n\n    post send ann hello" }

type signCmd struct {
	Name string `help:"Whose." placeholder:"NAME" required:""`
}

type lettersCmd struct {
	List struct{} `cmd:"" default:"withargs" help:"Show them."`
	Read struct {
		Number int64 `arg:"" default:"1" name:"NUMBER" optional:""`
	} `cmd:"" help:"Show one."`
}

type post struct {
	Send    sendCmd    `cmd:"" help:"Send a letter."`
	Sign    signCmd    `cmd:"" help:"Sign a letter."`
	Letters lettersCmd `cmd:"" help:"Look at letters."`
	Secret  struct{}   `cmd:"" help:"Not shown." hidden:""`
}

func tree(t *testing.T) (*post, *cli.Command) {
	t.Helper()
	p := &post{}
	p.Send.texts = map[string]string{}
	root, err := cli.New("post", "Letters.", p)
	if err != nil {
		t.Fatal(err)
	}
	return p, root
}

func TestParse(t *testing.T) {
	t.Parallel()
	p, root := tree(t)
	c, err := root.Parse(strings.Fields("send --times=3 ann --after 90s hello --tags a,b --tags c --rule p99<1,2 --priority high --slow-down --json --secret x --log-level=debug -- --world"))
	if err != nil || c.Path() != "post send" || c.Target != any(&p.Send) {
		t.Fatalf("%v %s", err, c.Path())
	}
	after := 90 * time.Second
	want := sendCmd{
		To: "ann", Words: []string{"hello", "--world"}, Times: 3, After: &after, Tags: []string{"a", "b", "c"},
		Rules: []string{"p99<1,2"}, Priority: "high", SlowDown: true, Secret: "x", lent: lent{JSON: true},
		Keys: Keys{map[string]string{"log.level": "debug"}},
	}
	if !reflect.DeepEqual(p.Send, want) {
		t.Errorf("%+v", p.Send)
	}
}

func TestWhatIsNotGiven(t *testing.T) {
	t.Parallel()
	p, root := tree(t)
	if _, err := root.Parse([]string{"send", "ann"}); err != nil || p.Send.Times != 2 || p.Send.Priority != "low" || p.Send.After != nil || p.Send.Words != nil {
		t.Errorf("%v %+v", err, p.Send)
	}
	if _, err := root.Parse([]string{"send", "ann", "--json=no"}); err != nil || p.Send.JSON {
		t.Errorf("%v %v", err, p.Send.JSON)
	}
	for words, want := range map[string]string{"letters": "post letters list", "letters read": "post letters read", "letters read 7": "post letters read"} {
		if c, err := root.Parse(strings.Fields(words)); err != nil || c.Path() != want {
			t.Errorf("%s calls %s: %v", words, c.Path(), err)
		}
	}
	if p.Letters.Read.Number != 7 {
		t.Errorf("%d", p.Letters.Read.Number)
	}
}

// What is wrong is told in the words that were given.
func TestWrongUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ words, command, want string }{
		{"", "post", `expected one of "send", "sign", "letters"`},
		{"sned", "post", `unexpected argument sned, did you mean "send"?`},
		{"paint", "post", "unexpected argument paint"},
		{"--json", "post", "unknown flag --json"},
		{"send", "post send", `expected "<TO>"`},
		{"send ann --tmies 3", "post send", `unknown flag --tmies, did you mean "--times"?`},
		{"send ann -x", "post send", "unknown flag -x"},
		{"send ann --times", "post send", "--times: needs a value"},
		{"send ann --times many", "post send", `--times must be a whole number but got "many"`},
		{"send ann --times 99999999999999999999", "post send", "--times is too large a number: 99999999999999999999"},
		{"send ann --after soon", "post send", `--after must be a duration, as in 30s or 5m, but got "soon"`},
		{"send ann --json=maybe", "post send", `--json must be true, 1, yes, false, 0 or no but got "maybe"`},
		{"send ann --priority mid", "post send", `--priority must be one of "low","high" but got "mid"`},
		{"send ann --fast --slow-down", "post send", "--fast and --slow-down cannot be used together"},
		{"sign", "post sign", "missing --name=NAME"},
		{"sign --name x y", "post sign", "unexpected argument y"},
		{"letters read x", "post letters read", `NUMBER must be a whole number but got "x"`},
	} {
		_, root := tree(t)
		_, err := root.Parse(strings.Fields(c.words))
		var usage *cli.UsageError
		if !errors.As(err, &usage) || usage.Error() != c.want || usage.Command.Path() != c.command {
			t.Errorf("%q: %v, want %q of %s", c.words, err, c.want, c.command)
		}
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		words string
		want  []string
	}{
		{"--help", []string{"Usage: post <command>\n\nLetters.\n", "  send            Send a letter.\n", "  letters list    Show them.\n", "Run 'post <command> --help'"}},
		{"letters -h", []string{"Usage: post letters <command>", "  letters read    Show one.\n"}},
		{"send ann --nonsense --help", []string{
			"Usage: post send <TO> [<WORD> ...] [flags]\n\nSend a letter.\n\nSends it.\n\nExample:\n\n    post send ann hello\n",
			"  <TO>            Who gets it.\n", "  --tags=TAG,...         Words to find it by.\n", "  --rule=RULE ", "  --priority=PRIORITY    One of low, high.\n",
			"\nLog:\n  --log-level=debug|info    How much to tell.\n",
		}},
		{"sign --help=true", []string{"Usage: post sign --name=NAME [flags]"}},
		{"sign --help", []string{"Usage: post sign --name=NAME [flags]"}},
	} {
		_, root := tree(t)
		command, err := root.Parse(strings.Fields(c.words))
		if !errors.Is(err, cli.ErrHelp) {
			t.Errorf("%q: %v", c.words, err)
			continue
		}
		var b strings.Builder
		if err := command.WriteHelp(&b, 80); err != nil {
			t.Fatal(err)
		}
		for _, want := range c.want {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%q: %q is missing in\n%s", c.words, want, b.String())
			}
		}
		if strings.Contains(strings.ToLower(b.String()), "secret") {
			t.Errorf("%q shows what is hidden:\n%s", c.words, b.String())
		}
	}
}

// Lines end at words, and the text stays within its column.
func TestHelpBreaksLines(t *testing.T) {
	t.Parallel()
	_, root := tree(t)
	command, _ := root.Parse([]string{"send", "--help"})
	var b strings.Builder
	if err := command.WriteHelp(&b, 50); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if len(line) > 51 && strings.Contains(strings.TrimSpace(line), "    ") {
			t.Errorf("%d letters: %s", len(line), line)
		}
	}
	if !strings.Contains(b.String(), "How long to wait") {
		t.Error(b.String())
	}
}

func TestFaultyTags(t *testing.T) {
	t.Parallel()
	for name, root := range map[string]any{
		"a float64 cannot be given": &struct{ Much float64 }{},
		`its default must be a whole number but got "x"`: &struct {
			N int `default:"x"`
		}{},
	} {
		if _, err := cli.New("x", "", root); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, want %q", err, name)
		}
	}
}
