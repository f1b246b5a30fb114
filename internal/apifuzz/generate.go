package apifuzz

import (
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Password is every generated user's, and the one that is typed most of the time.
const Password = "correct horse"

// drawer draws values and requests.
type drawer struct {
	*rand.Rand

	api  *API
	pool *pool
	now  time.Time
	// moments counts the times that were drawn: no two are alike, so that lists in order
	// of time have one order.
	moments *int
}

func (d *drawer) chance(percent int) bool { return d.IntN(100) < percent }

func pick[T any](d *drawer, all []T) T { return all[d.IntN(len(all))] }

// value draws a value that the schema takes, of the property of the name.
func (d *drawer) value(schema object, name string) node {
	schema = d.api.resolve(schema)
	if options, ok := schema["oneOf"].([]any); ok {
		return d.value(pick(d, options).(object), name) //nolint:forcetypeassert // as OpenAPI has it
	}
	if options, ok := schema["enum"].([]any); ok && d.chance(95) {
		return nodeOf(pick(d, options))
	}
	if examples, ok := schema["examples"].([]any); ok && d.chance(20) && name != "id" && name != "timestamp" {
		return nodeOf(pick(d, examples))
	}
	kind := schema["type"]
	if kinds, ok := kind.([]any); ok {
		kind = kinds[0]
		if d.chance(10) {
			kind = pick(d, kinds)
		}
	}
	switch kind {
	case "object":
		return d.object(schema)
	case "array":
		l := &list{}
		item := objectAt(schema, "items")
		for range d.size(numberAt(schema, "minItems", 0), min(12, numberAt(schema, "maxItems", 12))) {
			l.items = append(l.items, d.value(item, name))
		}
		return l
	case "string":
		return d.text(schema, name)
	case "integer":
		low, high := numberAt(schema, "minimum", -1<<31), numberAt(schema, "maximum", 1<<31)
		return json.Number(strconv.Itoa(pick(d, []int{low, high, low + d.IntN(high-low+1), min(high, low+1), min(high, low+d.IntN(20))})))
	case "number":
		low, high := numberAt(schema, "minimum", -1000), numberAt(schema, "maximum", 1000)
		return json.Number(pick(d, []string{
			strconv.Itoa(low), strconv.Itoa(high), strconv.FormatFloat(float64(low)+d.Float64()*float64(high-low), 'g', -1, 64),
			"0.5", "5e-1", "0.1e1", "0.30000000000000004", "-0", "1e-300", "0.0",
		}))
	case "boolean":
		return d.chance(50)
	default:
		return nil
	}
}

// size draws a number from low to high, mostly a low one.
func (d *drawer) size(low, high int) int {
	return min(high, low+pick(d, []int{0, 1, 1, 2, 3, d.IntN(high - low + 1)}))
}

func (d *drawer) object(schema object) node {
	m := &members{}
	properties := objectAt(schema, "properties")
	if properties == nil {
		return d.free(3)
	}
	for name, property := range sorted(properties) {
		if isRequired(schema, name) || d.chance(40) {
			m.fields = append(m.fields, field{name, d.value(property.(object), name)}) //nolint:forcetypeassert // as OpenAPI has it
		}
	}
	d.Shuffle(len(m.fields), func(i, k int) { m.fields[i], m.fields[k] = m.fields[k], m.fields[i] })
	return m
}

// free draws an object of which no schema says anything.
func (d *drawer) free(depth int) node {
	m := &members{}
	for range d.IntN(4) {
		m.set(pick(d, []string{"a", "b", "ключ", "A", "", "a.b", "$ref", "__proto__", "parent_id", "é", "e\u0301", d.word()}), d.freeValue(depth-1))
	}
	return m
}

func (d *drawer) freeValue(depth int) node {
	if depth <= 0 {
		return d.word()
	}
	switch d.IntN(7) {
	case 0:
		return d.free(depth)
	case 1:
		l := &list{}
		for range d.IntN(4) {
			l.items = append(l.items, d.freeValue(depth-1))
		}
		return l
	case 2:
		return json.Number(pick(d, []string{
			"0", "-0", "1", "1.0", "1.50", "100", "1e2", "1E+2", "1e-7", "0.1", "9007199254740993", "123456789012345678901234567890",
			"1e308", "1.7976931348623157e308", "5e-324", "-1e-400", "1e-400", "0e0", "2.5e15",
		}))
	case 3:
		return nil
	case 4:
		return d.chance(50)
	default:
		return d.anyText(0, 40)
	}
}

// text draws a string.
func (d *drawer) text(schema object, name string) node {
	if kind := map[string]string{"refresh_token": "refresh"}[name]; kind != "" {
		return d.ref(kind)
	}
	switch textAt(schema, "format") {
	case "uuid":
		if name == "user_id" {
			return d.ref("users")
		}
		if d.chance(30) {
			return d.ref(pick(d, []string{"signals", "users", "memories"}))
		}
		return d.signalID()
	case "date-time":
		return d.time(name)
	case "password":
		if d.chance(85) {
			return Password
		}
	}
	if textAt(schema, "contentEncoding") == "base64" {
		b := make([]byte, 4*d.IntN(9))
		for i := range b {
			b[i] = byte(d.IntN(256)) //nolint:gosec // below 256
		}
		return base64.StdEncoding.EncodeToString(b)
	}
	if d.chance(60) {
		if text, ok := d.known(name); ok {
			return text
		}
	}
	return d.anyText(numberAt(schema, "minLength", 0), numberAt(schema, "maxLength", 1<<16))
}

// known is a value that makes sense for the property, or that an answer had there.
func (d *drawer) known(name string) (string, bool) {
	seen := d.pool.texts[name]
	if name == "id" || strings.HasSuffix(name, "neuron") || name == "neuron_id" {
		seen = d.pool.texts["neuron_id"]
	}
	texts := slices.Clone(seen)
	switch name {
	case "layer", "layer_to", "layer_from":
		texts = append(texts, "L1", "l2", "L3", "L4", "Design", "strategic", "execution", "implementation")
	case "neuron", "from_neuron", "to_neuron", "neuron_id":
		texts = append(texts, "neuron-l1", "neuron-l4", "n1", "n2", "Ünïcode", "a/b", "a b", "n%41")
	case "id": // of a neuron
		texts = append(texts, "n1", "n2", "n3", "N1", "Ünïcode", "a b", "neuron-l2")
	case "permissions":
		texts = append(texts, "ViewSignals", "SendSignal", "ViewNeuron", "ViewMemory", "ManageApiKeys")
	case "state":
		texts = append(texts, "Running", "failed", "Stopped", "idle")
	case "username":
		texts = append(texts, "ann", "Ann", "eve", "bob", "ann ", "Å", "A\u030a")
	case "email":
		texts = append(texts, "ann@example.org", "ANN@example.org", "a@b", "é@example.org")
	case "action":
		texts = append(texts, "login", "user.create", "api_key.create", "memory.delete")
	case "q":
		texts = append(texts, "antenna", `"the antenna"`, "-x", "C++", "a AND b", "NEAR(a b)", "antenna*", `"`, "x OR y", "running runs", "naïve NAIVE", "'; DROP TABLE memories; --")
	case "content":
		texts = append(texts, "The antenna fails within 72 hours.", "the running antennas", "naïve café", "C++ and -x", "日本語 のテキスト")
	}
	if len(texts) == 0 {
		return "", false
	}
	return pick(d, texts), true
}

// ref is the mark of a value of an earlier answer, or a value that no answer had.
func (d *drawer) ref(kind string) string {
	if refs := d.pool.refs[kind]; len(refs) > 0 && d.chance(90) {
		return pick(d, refs)
	}
	switch kind {
	case "token":
		return "hal9_at_00"
	case "refresh":
		return "hal9_rt_00"
	case "key":
		return "hal9_key_00"
	default:
		return absent
	}
}

// signalID is a UUID, mostly one that a new signal may have.
func (d *drawer) signalID() string {
	if d.chance(15) {
		return pick(d, []string{
			absent, "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
			"6ba7b810-9dad-11d1-80b4-00c04fd430c8", "0199D2F4-7C00-7A31-8D52-0E6F4B1C9A70", "{" + absent + "}", "urn:uuid:" + absent,
		})
	}
	var id uuid.UUID
	ms := d.moment().UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i)) //nolint:gosec // the lowest bits of what is left
	}
	for i := 6; i < len(id); i++ {
		id[i] = byte(d.IntN(256)) //nolint:gosec // below 256
	}
	id[6], id[8] = 0x70|id[6]&0xf, 0x80|id[8]&0x3f
	return id.String()
}

// moment is a time in the last minutes that was not drawn before.
func (d *drawer) moment() time.Time {
	*d.moments++
	return d.now.Add(-time.Duration(d.IntN(300))*time.Second - time.Duration(*d.moments)*time.Millisecond).Truncate(time.Millisecond)
}

func (d *drawer) time(name string) string {
	at := d.moment()
	if name == "timestamp" && d.chance(90) {
		if d.chance(30) {
			return at.In(time.FixedZone("", 5400)).Format(time.RFC3339Nano)
		}
		return at.Format("2006-01-02T15:04:05.000Z07:00")
	}
	if name == "expires_at" && d.chance(80) {
		return at.Add(time.Hour).Format(time.RFC3339Nano)
	}
	return pick(d, []string{
		at.Format(time.RFC3339Nano), at.In(time.FixedZone("", -7*3600)).Format(time.RFC3339), at.Add(time.Duration(d.IntN(1000))).Format(time.RFC3339Nano),
		"1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "2026-02-28T23:59:60Z", "2262-04-12T00:00:00Z",
		"0000-01-01T00:00:00Z", "2024-02-29t00:00:00z", "1969-12-31T23:59:59.999Z", "9999-12-31T23:59:59-23:59",
	})
}

func (d *drawer) word() string {
	return pick(d, []string{
		"a", "ab", "antenna", "Antenna", "naïve", "日本語", "Straße", "STRASSE", "ﬁn", "İstanbul", "i̇", "Ω", "ω", "👩‍🚀", "e\u0301", "é",
		"x' OR '1'='1", `"quoted"`, `back\slash`, "%", "_", "a%b_c", "NULL", "null", "true", "0", "-1", "1e9", "<script>", "&amp;", "{}", "[]",
		"שלום", "مرحبا", "\u202eabc", "a\u200bb", "\ufeffx", "tab\there", "line\nbreak", "cr\r\nlf", "\u007f", "\u0085", "\u2028", "\U0010ffff", "\ufffd", "😀",
		"$1", "?", ":name", "@p", "--", "/*", "C++", "-x", "*", "AND", "OR NOT", "NEAR", "a:b", "^a", "{a}",
	})
}

// anyText draws a text within bounds of characters, at them now and then.
func (d *drawer) anyText(low, high int) string {
	switch {
	case high >= low && high < 1<<12 && d.chance(4):
		return strings.Repeat(pick(d, []string{"x", "é", "日", "😀"}), high)
	case high > 1<<12 && d.chance(1):
		return strings.Repeat(pick(d, []string{"x ", "é ", "running "}), pick(d, []int{1 << 10, 1 << 14, 1 << 16}))
	case low > 0 && d.chance(4):
		return strings.Repeat("é", low)
	case low == 0 && d.chance(5):
		return ""
	case d.chance(4):
		return strings.Repeat(" ", max(1, low))
	}
	var b strings.Builder
	for range 1 + d.IntN(4) {
		if b.Len() > 0 && d.chance(70) {
			b.WriteByte(' ')
		}
		b.WriteString(d.word())
	}
	text := []rune(b.String())
	for len(text) < low {
		text = append(text, 'z')
	}
	return string(text[:min(len(text), high)])
}

func numberAt(schema object, name string, otherwise int) int {
	n, ok := schema[name].(json.Number)
	if !ok {
		return otherwise
	}
	f, err := n.Float64()
	if err != nil {
		return otherwise
	}
	return int(f)
}

func isRequired(schema object, name string) bool {
	required, _ := schema["required"].([]any)
	for _, r := range required {
		if r == name {
			return true
		}
	}
	return false
}
