package loadtest

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// The correction adds what the library adds that is told the interval beforehand.
func TestCorrection(t *testing.T) {
	t.Parallel()
	const interval = 10 * time.Millisecond
	observed, told := newHistogram(digits), newHistogram(digits)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		took := time.Duration(rng.Int64N(int64(8 * time.Millisecond)))
		if rng.IntN(100) == 0 {
			took += time.Duration(rng.Int64N(int64(time.Second)))
		}
		record(observed, took)
		_ = told.RecordCorrectedValue(max(1, took.Microseconds()), interval.Microseconds())
	}
	got := corrected(observed, interval)
	if n, want := got.TotalCount(), told.TotalCount(); math.Abs(float64(n-want)) > float64(want)/100 || n < observed.TotalCount()*5/4 {
		t.Errorf("%d values, the library has %d, observed were %d", n, want, observed.TotalCount())
	}
	for _, q := range []float64{50, 90, 95, 99, 99.9} {
		if a, b := quantile(got, q), quantile(told, q); math.Abs(a-b) > b/50 {
			t.Errorf("p%g is %g, the library has %g", q, a, b)
		}
	}
}

// A user who asks each 100 ms and meets one stall of 10 s saw one slow answer of a
// hundred; who did not wait would have met a hundred.
func TestCorrectionOfOneStall(t *testing.T) {
	t.Parallel()
	h := newHistogram(digits)
	for range 99 {
		record(h, time.Millisecond)
	}
	record(h, 10*time.Second)
	c := corrected(h, 100*time.Millisecond)
	if n := c.TotalCount(); n < 198 || n > 200 {
		t.Errorf("%d values", n)
	}
	if before, after := quantile(h, 75), quantile(c, 75); before > 0.002 || after < 4.5 || after > 5.5 {
		t.Errorf("p75 was %g and is %g, which should be the middle of the stall", before, after)
	}
	if same := corrected(h, time.Hour); same.TotalCount() != 100 {
		t.Errorf("without anything hidden %d values", same.TotalCount())
	}
	if empty := corrected(newHistogram(digits), 0); empty.TotalCount() != 0 || quantile(empty, 99) != 0 {
		t.Error("nothing became something")
	}
}

func TestZipf(t *testing.T) {
	t.Parallel()
	const n, draws = 1000, 200_000
	rng := rand.New(rand.NewPCG(3, 4))
	for _, exponent := range []float64{0, 0.8, 1, 1.5} {
		z := newZipf(n, exponent)
		counts := make([]int, n)
		for range draws {
			counts[z.draw(rng)]++
		}
		sum := 0.0
		for k := range n {
			sum += math.Pow(float64(k+1), -exponent)
		}
		for _, k := range []int{0, 1, 9} {
			want := draws * math.Pow(float64(k+1), -exponent) / sum
			if got := float64(counts[k]); math.Abs(got-want) > 5*math.Sqrt(want) {
				t.Errorf("exponent %g: number %d came %g times, expected %.0f", exponent, k, got, want)
			}
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	const body = `{"data":{"id":"x","on":false,"n":0,"list":[{"id":"first"}],"none":null},"s":"5"}`
	at := func(v float64) *float64 { return &v }
	for _, c := range []struct {
		check Check
		want  bool
	}{
		{Check{Status: 200}, true},
		{Check{Status: 201}, false},
		{Check{FasterThan: Duration(11 * time.Millisecond)}, true},
		{Check{FasterThan: Duration(10 * time.Millisecond)}, false},
		{Check{JSON: "data.id"}, true},
		{Check{JSON: "data.none"}, false},
		{Check{JSON: "data.missing"}, false},
		{Check{JSON: "data.on", Is: "boolean"}, true},
		{Check{JSON: "data.n", Is: "boolean"}, false},
		{Check{JSON: "data.n", Is: "number"}, true},
		{Check{JSON: "data.n", AtLeast: at(0)}, true},
		{Check{JSON: "data.n", AtLeast: at(1)}, false},
		{Check{JSON: "s", AtLeast: at(1)}, false},
		{Check{JSON: "s", Is: "string"}, true},
		{Check{JSON: "data.list", Is: "array"}, true},
		{Check{JSON: "data", Is: "array"}, false},
		{Check{JSON: "data", Is: "object"}, true},
		{Check{JSON: "data.list.0.id"}, true},
		{Check{JSON: "data.list.1.id"}, false},
	} {
		a := &answer{status: 200, body: []byte(body)}
		if got := c.check.holds(a, 10*time.Millisecond, true); got != c.want {
			t.Errorf("%s: %v", c.check.Name(), got)
		}
		if c.check.JSON != "" && c.check.holds(a, 0, false) {
			t.Errorf("%s holds for what is no JSON", c.check.Name())
		}
	}
}

func TestThreshold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text  string
		value float64
		want  bool
	}{
		{"p95 < 500ms", 0.499, true},
		{"p95 < 500ms", 0.5, false},
		{"p99.9 <= 1s", 1, true},
		{"mean < 1ms", 0.002, false},
		{" max  <  2m ", 119, true},
		{"failed < 1%", 0.01, false},
		{"failed <= 1%", 0.01, true},
		{"checks_failed < 0.05", 0.04, true},
		{"rate > 10000", 10_000, false},
		{"rate >= 10000", 10_000, true},
		{"hit_rate >= 90%", 0.899, false},
		{"p50[GET x] < 1s", 0.5, true},
	} {
		parsed, err := ParseThreshold(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
		}
		if got := parsed.holds(c.value); got != c.want {
			t.Errorf("%s with %g: %v", c.text, c.value, got)
		}
	}
	for _, text := range []string{"", "p95", "p95 = 1s", "p101 < 1s", "p95 < fast", "p95 < -1s", "rate > 5s", "latency < 1s", "p95 <"} {
		if parsed, err := ParseThreshold(text); err == nil {
			t.Errorf("%q is taken as %+v", text, parsed)
		}
	}
}

func TestSumMetrics(t *testing.T) {
	t.Parallel()
	sums := sumMetrics([]byte(`# HELP a_total Things.
# TYPE a_total counter
a_total{x="1",y="} 7"} 2
a_total{x="2"} 3 1700000000
b 0.5
broken
nothing{x="1"
c{le="+Inf"} NaN2
`))
	if len(sums) != 2 || sums["a_total"] != 5 || sums["b"] != 0.5 {
		t.Errorf("%v", sums)
	}
}

func TestTemplate(t *testing.T) {
	t.Parallel()
	s := slots{}
	body := s.compile(`{"a":"{one}","b":{"c":"{two}"}}{one}`)
	values := make([]string, len(s))
	values[s["one"]], values[s["two"]] = "plain-1", "q\"\\\n/ü"
	if got := string(body.write(nil, values, inJSON)); got != `{"a":"plain-1","b":{"c":"q\"\\\u000a/ü"}}plain-1` {
		t.Error(got)
	}
	if got := string(s.compile("/x/{two}?a={one}").write(nil, values, inPath)); got != "/x/q%22%5C%0A%2F%C3%BC?a=plain-1" {
		t.Error(got)
	}
	if got := string(s.compile("{two}").write(nil, values, inHeader)); got != "q\"\\/ü" {
		t.Error(got)
	}
}

// The number of users goes evenly from stage to stage.
func TestUsersAt(t *testing.T) {
	t.Parallel()
	s := &Scenario{Stages: []Stage{{Duration(10 * time.Second), 10}, {0, 100}, {Duration(10 * time.Second), 100}, {Duration(10 * time.Second), 0}}}
	for at, want := range map[time.Duration]int{
		0: 0, 5 * time.Second: 5, 10 * time.Second: 100, 15 * time.Second: 100, 25 * time.Second: 50, 30 * time.Second: 0, time.Hour: 0,
	} {
		if got := s.usersAt(at); got != want {
			t.Errorf("at %v %d users, want %d", at, got, want)
		}
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	l := newRateLimit(10)
	passed := 0
	begin := time.Unix(1000, 0)
	for ms := range 1000 {
		if l.take(begin.Add(time.Duration(ms) * time.Millisecond)) {
			passed++
		}
	}
	if passed != 10 {
		t.Errorf("%d passed in a second", passed)
	}
}
