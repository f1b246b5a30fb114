package loadtest_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/loadtest"
)

const small = `
name: small
stages: [{for: 1s, users: 2}]
journeys:
  - name: one
    weight: 1
    steps: [{path: /x}]
`

func TestParse(t *testing.T) {
	t.Parallel()
	s, err := loadtest.Parse([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	step := s.Journeys[0].Steps[0]
	if step.Method != http.MethodGet || step.Call != "one" || step.Share != 1 || s.Pick != "deck" || s.Timeout != loadtest.Duration(10*time.Second) {
		t.Errorf("the defaults are %+v in %+v", step, s)
	}
}

// Each fault is told with its place and what to do about it.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	replace := func(old, with string) string {
		if !strings.Contains(small, old) {
			t.Fatalf("no %q to replace", old)
		}
		return strings.Replace(small, old, with, 1)
	}
	for name, c := range map[string]struct{ text, want string }{
		"an empty file":             {"", "hal9 loadtest scenario mix"},
		"two documents":             {small + "---\nname: x\n", "more than one YAML document"},
		"no YAML":                   {"name: [", "read the scenario"},
		"a misspelt key":            {replace("weight: 1", "wieght: 1"), "line 6: there is no key journeys[0].wieght: did you mean weight?"},
		"an unknown key":            {replace("{path: /x}", "{path: /x, speed: 3}"), "journeys[0].steps[0].speed: use one of at_most, bearer, body"},
		"a key of a check":          {replace("/x}", "/x, checks: [{statu: 200}]}"), "checks[0].statu: did you mean status?"},
		"the same key twice":        {small + "name: again\n", "already defined"},
		"no name":                   {replace("name: small", "description: x"), "name is missing"},
		"no stages":                 {replace("stages: [{for: 1s, users: 2}]", ""), "stages is empty"},
		"no users":                  {replace("users: 2", "users: 0"), "no stage has users"},
		"too many users":            {replace("users: 2", "users: 100001"), "give 0 to 100000"},
		"no time":                   {replace("for: 1s", "for: 0s"), "take no time"},
		"too long":                  {replace("for: 1s", "for: 25h"), "at most 24h"},
		"a negative time":           {replace("for: 1s", "for: -1s"), "is no duration"},
		"a time without unit":       {replace("for: 1s", "for: 10"), "is no duration: write 500ms"},
		"a long warm-up":            {small + "warm_up: 1s\n", "the stages take only 1s"},
		"a pick":                    {small + "pick: best\n", "use deck or random"},
		"a time to think":           {small + "think_time: 2s-1s\n", "is no time to think"},
		"no journeys":               {"name: x\nstages: [{for: 1s, users: 1}]\njourneys: []\n", "journeys is empty"},
		"a weight":                  {replace("weight: 1", "weight: 0"), "journeys[0].weight is 0"},
		"a path":                    {replace("/x", "x"), "begin it with /"},
		"a method":                  {replace("/x", "/x, method: GTE"), "use GET, POST"},
		"a placeholder":             {replace("/x", "'/{what}'"), "{what} stands for nothing"},
		"a neuron without count":    {replace("/x", "'/{neuron}'"), "{neuron} stands for nothing"},
		"a name that is taken":      {small + "choose: {token: [a]}\n", "has a meaning of its own"},
		"two meanings":              {small + "choose: {neuron: [a]}\nneurons: {count: 2}\n", "leave one out"},
		"no words":                  {small + "choose: {w: []}\n", "choose.w is empty"},
		"a kept name":               {replace("/x", "/x, keep: {A: data}"), "keep.A"},
		"two checks in one":         {replace("/x", "/x, checks: [{status: 200, json: data}]"), "exactly one of"},
		"an unknown kind":           {replace("/x", "/x, checks: [{json: data, is: text}]"), "use boolean, number"},
		"a bound without value":     {replace("/x", "/x, checks: [{status: 200, at_least: 1}]"), "say which by json"},
		"a share":                   {replace("/x", "/x, share: 200%"), "is no share"},
		"an exponent":               {small + "neurons: {count: 3, zipf: -1}\n", "exponent from 0 to 10"},
		"a threshold":               {small + "thresholds: [p95 is low]\n", "is not understood: write p95 < 500ms"},
		"a threshold's call":        {small + "thresholds: ['p95[two] < 1s']\n", `there is no call "two"`},
		"a threshold's bound":       {small + "thresholds: [p95 < 500]\n", "its bound is not understood"},
		"a hit rate of a call":      {small + "thresholds: ['hit_rate[one] > 1%']\n", "is no figure of a call: leave [one] out"},
		"registrations without end": {small + "accounts: {register: 100000}\n", "hal9 loadtest seed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := loadtest.Parse([]byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%+v, %v; want %q", s, err, c.want)
			}
		})
	}
}

func TestBuiltin(t *testing.T) {
	t.Parallel()
	if names := loadtest.BuiltinNames(); !slices.Equal(names, []string{"mix", "original", "peak", "wide"}) {
		t.Errorf("the scenarios are %v", names)
	}
	for _, name := range loadtest.BuiltinNames() {
		text, err := loadtest.Builtin(name)
		if err != nil {
			t.Fatal(err)
		}
		s, err := loadtest.Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var weights []int
		for _, j := range s.Journeys {
			weights = append(weights, j.Weight)
		}
		// The shares of the script that HAL9's users run.
		if s.Name != name || !slices.Equal(weights, []int{40, 20, 20, 15, 5}) || s.MaxUsers() != 1000 {
			t.Errorf("%s: %q with weights %v and %d users", name, s.Name, weights, s.MaxUsers())
		}
	}
	if _, err := loadtest.Builtin("none"); err == nil || !strings.Contains(err.Error(), "mix, original, peak, wide") {
		t.Errorf("a scenario that is not there: %v", err)
	}
}

func TestScale(t *testing.T) {
	t.Parallel()
	text, err := loadtest.Builtin("original")
	if err != nil {
		t.Fatal(err)
	}
	s, err := loadtest.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if s.Duration() != 10*time.Minute {
		t.Errorf("the original takes %v", s.Duration())
	}
	s.ScaleUsers(50)
	s.ScaleTime(time.Minute)
	users := make([]int, 0, len(s.Stages))
	for _, stage := range s.Stages {
		users = append(users, stage.Users)
	}
	// A stage with users keeps at least one.
	if !slices.Equal(users, []int{1, 5, 50, 50, 5, 0}) || s.Duration() != time.Minute || s.Stages[3].For != loadtest.Duration(30*time.Second) {
		t.Errorf("the stages are %+v", s.Stages)
	}
	if err := s.SetLoginShare("1%"); err == nil {
		t.Error("the original has no fresh logins whose share could be set")
	}
}
