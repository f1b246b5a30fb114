package server

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// fill gives every field of a value something, so that one that is not written shows.
func fill(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), n)
		}
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(-*n))
	case reflect.Uint64:
		v.SetUint(math.MaxUint64 - uint64(*n))
	case reflect.Float64:
		v.SetFloat(float64(*n) + 0.25)
	case reflect.String:
		v.SetString(strings.Repeat("ü\"<\u2028", *n))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for _, name := range []string{"b", "", "a\nb", "\xff", "𐀀", "\uffff"} {
			value := reflect.New(v.Type().Elem()).Elem()
			fill(t, value, n)
			v.SetMapIndex(reflect.ValueOf(name), value)
		}
	default:
		t.Fatalf("there is nothing for %v", v.Type())
	}
}

// What is written by hand is what the encoder writes.
func TestAppended(t *testing.T) {
	t.Parallel()
	check := func(what string, byHand []byte, answered any) {
		t.Helper()
		want, err := marshalAnswer(answered)
		if err != nil {
			t.Fatal(err)
		}
		if string(byHand) != string(want) {
			t.Errorf("%s:\n%s\nthe encoder writes\n%s", what, byHand, want)
		}
	}
	var f figures
	n := 0
	check("no figures", encodeFigures(&f), ok(f).Body)
	fill(t, reflect.ValueOf(&f).Elem(), &n)
	check("figures", encodeFigures(&f), ok(f).Body)
	for _, v := range []float64{0, 1e-7, 1e-6, 1e20, 1e21, 123456.789, 5e-324, math.MaxFloat64, 1.0 / 3, -2} {
		f = figures{UptimeSeconds: v, CacheHitRate: -v, MemoryUsageMB: v * 1e-9}
		check("a number", encodeFigures(&f), ok(f).Body)
	}

	st := status{Neurons: []statusNeuron{{"n", "L4", "idle", healthy}}}
	neurons, err := marshalAnswer(st.Neurons)
	if err != nil {
		t.Fatal(err)
	}
	check("no status", encodeStatus(&st, neurons), ok(st).Body)
	st.Running, st.UptimeSeconds = true, 0.1
	fill(t, reflect.ValueOf(&st.Metrics).Elem(), &n)
	check("status", encodeStatus(&st, neurons), ok(st).Body)

	email := "ann\x00\xff@example.org"
	for _, at := range []time.Time{{}, time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC), time.Date(2026, 1, 1, 0, 0, 0, 1e8, time.FixedZone("", 5400))} {
		for _, a := range []account{
			{ID: uuid.Max, Username: "ä\\n\"\u2029", Email: &email, Role: "admin", CreatedAt: at, IsActive: true}, {CreatedAt: at},
		} {
			check("account", encodeAccount(&a), ok(a).Body)
		}
	}
	if got := encodeAccount(&account{CreatedAt: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)}); got != nil {
		t.Errorf("the year 10000 is written: %s", got)
	}
	for _, message := range []string{"", "signal stored for \xff\u2028\"ü"} {
		a := contractAnswer{uuid.Max, message}
		check("contract", encodeContractAnswer(&a), ok(a).Body)
	}
}

func BenchmarkAppended(b *testing.B) {
	f := figures{
		UptimeSeconds: 12345.678901, SignalsPerSecond: 8012.3, NeuronsTotal: 5, NeuronsByState: map[string]int64{"idle": 5},
		CacheHitRates: map[string]float64{"neuron": 0.998, "session": 0.5, "user": 0.7, "activity": 1},
	}
	b.Run("by hand", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = encodeFigures(&f)
		}
	})
	b.Run("encoder", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := marshalAnswer(ok(f).Body); err != nil {
				b.Fatal(err)
			}
		}
	})
}
