package store_test

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/hal9-ai/hal9/internal/searchtext"
	"github.com/hal9-ai/hal9/model"
)

// The generators draw from small pools, so that calls meet the rows of calls before
// them, and now and then something nasty.

var (
	poolIDs = []uuid.UUID{
		uuid.MustParse("0193a6a0-0000-7000-8000-000000000001"),
		uuid.MustParse("0193a6a0-0000-7000-8000-000000000002"),
		uuid.MustParse("F47AC10B-58CC-4372-A567-0E02B2C3D479"),
	}
	nastyIDs  = []uuid.UUID{uuid.Nil, uuid.Max, uuid.MustParse("0193a6a0-0000-7000-8000-00000000000a")}
	poolNames = []string{"a", "B", "é", "Z", "_", "a b"}
	nastyText = []string{
		"e\u0301", "A", "ı", "中", "", "\x00", "a\x00b", "\xff", "a\xc3(", "\xed\xa0\x80", "'", `"`, `\`, "'; DROP TABLE users; --", "%", "_%", "$1", "?1", "@id", ":a", "{}", "NULL",
		"😀", "👩‍👩‍👧‍👦", "a\u0300\u0301\u0302\u0303", "\u200b", "\ufeff", "\ufffd", "\uffff", "\U0010ffff", " ", "\t\r\n", "İSTANBUL", "ß", "ﬁ", "\u202eabc", "\x7f\x01",
		strings.Repeat("x", 255), strings.Repeat("x", 256), strings.Repeat("中", 255), strings.Repeat("😀", 255), strings.Repeat("😀", 256), strings.Repeat("e\u0301", 128), strings.Repeat("y", 5000),
	}
	poolTimes = []time.Time{
		time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC),
		time.Date(2026, 11, 1, 0, 0, 0, 999, time.UTC),
		time.Date(2026, 11, 1, 0, 0, 0, 1000, time.UTC),
		time.Date(2026, 11, 1, 0, 0, 0, 1_999_999, time.FixedZone("", 19800)),
		time.Date(2026, 10, 31, 23, 59, 59, 999_999_999, time.UTC),
		time.Date(2027, 1, 1, 12, 0, 0, 123_456_789, time.FixedZone("", -11*3600)),
		time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC),
	}
	nastyTimes = []time.Time{
		{},
		time.Unix(0, 0), time.Unix(-1, 999_999_999), time.Date(1969, 12, 31, 23, 59, 59, 999_999_500, time.UTC),
		time.Date(1, 1, 1, 0, 0, 0, 0, time.FixedZone("", 3600)), time.Date(0, 12, 31, 23, 59, 59, 0, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -3600)),
		time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-4713, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(294277, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Unix(math.MaxInt64, 0), time.Unix(math.MinInt64, 0), time.Date(1582, 10, 10, 1, 2, 3, 4000, time.UTC), model.MaxTime(),
	}
	poolJSON = []string{
		`{}`, `{"signal_id":"0193a6a0-0000-7000-8000-000000000001"}`, `{"parent_id":"0193a6a0-0000-7000-8000-000000000001","signal_id":"a"}`,
		`{"signal\u005fid":"\u00301\u0039\u00333a6a0-0000-7000-8000-000000000001"}`, `[]`, `{"a":[1,2,{"b":null}]}`,
	}
	nastyJSON = []string{
		``, ` `, `{`, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{} {}`, `{},`, `nul`, `NaN`, `Infinity`, `'a'`, `{a:1}`, `[1,]`, `01`, `+1`, `.5`, `5.`, `0x10`, "\ufeff{}", `/**/{}`,
		`"\u0000"`, `{"\u0000":1}`, `"\ud800"`, `"\udc00\ud800"`, "\"\xff\"", "\"\x01\"", "\"a\x00\"", `"\ud83d\ude00"`, `"😀\u200b\uffff"`, `"\/\b\f\n\r\t\\\""`,
		`1e308`, `1e309`, `-1e309`, `1e-400`, `1e-20000`, `0e99999999`, `0e-99999999`, `-0`, `-0.0`, `0.1000`, `1E+2`, `1e-99999999999999999999`, `123456789012345678901234567890.5`,
		`9007199254740993`, `0.` + strings.Repeat("0", 17000) + `1`, `1` + strings.Repeat("0", 400), `0.` + strings.Repeat("1", 20000),
		`null`, `true`, `"text"`, `""`, `{"":{"":""}}`, ` { "a" : [ 1 , 2 ] } `, "\n[\t]\r\n", `{"signal_id":5}`, `{"signal_id":true}`, `{"signal_id":null}`, `{"signal_id":["a"]}`,
		`{"signal_id":{"a": 1}}`, `{"signal_id":1.50}`, `{"signal_id":""}`, `[{"signal_id":"a"}]`, `"signal_id"`, `{"SIGNAL_ID":"a"}`, `{"signal_id ":"a"}`, `{"$.signal_id":"a"}`,
		strings.Repeat("[", 64) + strings.Repeat("]", 64), strings.Repeat("[", 65) + strings.Repeat("]", 65), strings.Repeat(`{"a":`, 64) + "1" + strings.Repeat("}", 64), strings.Repeat("[", 5000),
		`{"signal_id":"` + strings.Repeat("x", 10000) + `"}`, `{"parent_id":"` + strings.Repeat("\u4e2d", 3000) + `"}`,
		`{"signal_id":"` + strings.Repeat("x", 36) + `"}`, `{"signal_id":"` + strings.Repeat("中", 36) + `"}`, `{"signal_id":123456789012345678901234567890123456}`,
	}
	poolWords = []string{
		"fox", "foxes", "Running", "run", "the", "café", "cafe\u0301", "CAFÉ", "Straße", "strasse", "東京", "c++", "-x", "AND", "OR", "NEAR", "3.14", "don't", "o'neil", "e-mail", "a_b",
		"snow☃man", "😀", "x\u200by", "ﬁsh", "İstanbul", "ı", "ῳ", "x*", "content:fox", "^a", "(", ")", "\\", "'", "@id", "Ⅳ", "²", "naïve", "ﷺ", "हिन्दी", "한국어", "עברית", "\u202e", "http://a.b/c?d=e", "a@b.org",
		strings.Repeat("long", 600),
	}
	poolLimits  = []int64{0, 1, 2, 3, 10, 1000, 1000}
	nastyLimits = []int64{math.MaxInt32, math.MaxInt64, -1, math.MinInt64}
	poolFloats  = []float64{0.5, 0, 1, 0.1, 0.699999988}
	nastyFloats = []float64{math.Copysign(0, -1), -1, 5e-324, math.MaxFloat64, -math.MaxFloat64, 1e15, 9007199254740993, math.NaN(), math.Inf(1), math.Inf(-1)}
	poolCounts  = []int64{0, 1, 2, 100}
	nastyCounts = []int64{-1, math.MaxInt64, math.MinInt64, math.MaxInt64 / 2}
	poolBlobs   = [][]byte{nil, {}, {0}, {0, 255, 128}, []byte("text"), {0xff, 0xfe}}
	conditions  = []string{model.ConditionRunning, model.ConditionFailed, model.ConditionStopped, "Running", ""}
)

// generator draws the parameters of calls. One call in four may hold nasty values:
// more, and little would ever be stored.
type generator struct {
	*rapid.T
	nasty bool
}

func newGenerator(t *rapid.T) generator {
	return generator{T: t, nasty: rapid.IntRange(0, 3).Draw(t, "nasty") == 3}
}

// of draws from the usual pool, and from the nasty one now and then.
func of[T any](g generator, label string, usual, nasty []T) T {
	if g.nasty && rapid.IntRange(0, 3).Draw(g.T, label+" is nasty") == 3 {
		return rapid.SampledFrom(nasty).Draw(g.T, label)
	}
	return rapid.SampledFrom(usual).Draw(g.T, label)
}

func (g generator) text(label string) string {
	words := rapid.SliceOfN(rapid.SampledFrom(poolWords), 0, 8).Draw(g.T, label)
	separator := rapid.SampledFrom([]string{" ", "  ", ", ", "-", "\n", "", "."}).Draw(g.T, label+" separator")
	return strings.Join(words, separator)
}

func (g generator) query() string {
	words := rapid.SliceOfN(rapid.SampledFrom(poolWords), 1, 3).Draw(g.T, "query")
	text := strings.Join(words, " ")
	if rapid.Bool().Draw(g.T, "is a phrase") {
		text = `"` + text + `"`
	}
	return text
}

// params fills a parameter struct, field by field, by type and name.
func (g generator) params(params reflect.Type) reflect.Value {
	v := reflect.New(params).Elem()
	for i := range params.NumField() {
		g.field(v.Field(i), params.Field(i).Name)
	}
	if search, ok := reflect.TypeAssert[*model.MemorySearchParams](v.Addr()); ok {
		q, err := searchtext.ParseQuery(g.query())
		if err != nil {
			g.Fatal(err)
		}
		search.Match, search.Phrases = q.Match(), model.JSON(q.PhrasesJSON())
		search.PageBytes = 1 << 30 // which are the best that fit is each engine's own
	}
	return v
}

func (g generator) field(field reflect.Value, name string) {
	if field.Kind() == reflect.Pointer {
		if rapid.IntRange(0, 2).Draw(g.T, name+" is given") > 0 {
			field.Set(reflect.New(field.Type().Elem()))
			g.field(field.Elem(), name)
		}
		return
	}
	set := func(x any) { field.Set(reflect.ValueOf(x)) }
	switch field.Interface().(type) {
	case string:
		set(g.string(name))
	case uuid.UUID:
		set(of(g, name, poolIDs, nastyIDs))
	case time.Time:
		set(of(g, name, poolTimes, nastyTimes))
	case model.JSON:
		set(g.json(name))
	case []byte:
		set(rapid.SampledFrom(poolBlobs).Draw(g.T, name))
	case bool:
		set(rapid.Bool().Draw(g.T, name))
	case float64:
		set(of(g, name, poolFloats, nastyFloats))
	case int64:
		switch {
		case strings.HasSuffix(name, "Limit"):
			set(of(g, name, poolLimits, nastyLimits))
		case strings.HasSuffix(name, "Version"): // one that no row has: versions are each engine's own
			set(rapid.SampledFrom(nastyCounts).Draw(g.T, name))
		default:
			set(of(g, name, poolCounts, nastyCounts))
		}
	default:
		g.Fatalf("no generator for %s of type %s", name, field.Type())
	}
}

func (g generator) string(name string) string {
	switch name {
	case "Condition":
		return of(g, name, conditions[:3], conditions[3:])
	case "Content", "SystemPrompt":
		if g.nasty && rapid.Bool().Draw(g.T, name+" is nasty") {
			return rapid.SampledFrom(nastyText).Draw(g.T, name)
		}
		return g.text(name)
	case "Match", "SearchText":
		return ""
	default:
		return of(g, name, poolNames, nastyText)
	}
}

func (g generator) json(name string) model.JSON {
	if name == "Ids" {
		ids := rapid.SliceOfN(rapid.SampledFrom(poolIDs), 0, 4).Draw(g.T, name)
		quoted := make([]string, len(ids))
		for i, id := range ids {
			quoted[i] = `"` + id.String() + `"`
		}
		return model.JSON("[" + strings.Join(quoted, ",") + "]")
	}
	if strings.HasSuffix(name, "Hashes") || name == "Usernames" || name == "Emails" { // lists of text
		list, err := json.Marshal(rapid.SliceOfN(rapid.SampledFrom(poolNames), 0, 4).Draw(g.T, name))
		if err != nil {
			g.Fatal(err)
		}
		return list
	}
	text := of(g, name, poolJSON, nastyJSON)
	if text == "" && rapid.Bool().Draw(g.T, name+" is nil") {
		return nil
	}
	return model.JSON(text)
}
