package apifuzz

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// Request is a request as it is sent, but for marks in the place of what each server
// made itself.
type Request struct {
	Step      int
	Operation string // its id, "" for none
	Method    string
	Target    string // path and query, as they are on the wire
	Header    [][2]string
	Body      string
	// Stream says that the answer has no end.
	Stream bool

	op *operation
	// spoilt says that the request is meant to be wrong.
	spoilt bool
}

// credential draws who asks: mostly somebody who may.
func (d *drawer) credential() [][2]string {
	bearer := func(token string) [][2]string { return [][2]string{{"Authorization", "Bearer " + token}} }
	switch n := d.IntN(100); {
	case n < 55:
		return [][2]string{{"X-API-Key", d.pool.refs["root-key"][0]}}
	case n < 70:
		return bearer(d.pool.refs["root-token"][0])
	case n < 80:
		return bearer(d.pool.refs["user-token"][0])
	case n < 86:
		return [][2]string{{"X-API-Key", pick(d, d.pool.refs["scoped-key"])}}
	case n < 93:
		if d.chance(60) {
			return bearer(d.ref("token"))
		}
		return [][2]string{{"X-API-Key", d.ref("key")}}
	case n < 97:
		return nil
	default:
		return pick(d, [][][2]string{
			bearer("x"), bearer(""),
			{{"Authorization", "Basic YTpi"}},
			{{"X-API-Key", "\xff"}},
			{{"X-API-Key", ""}},
			append(bearer(d.ref("token")), [2]string{"X-API-Key", d.ref("key")}), bearer(d.ref("refresh")),
			{{"Authorization", d.ref("token")}},
		})
	}
}

// request draws the request of a step.
func (d *drawer) request(step int) *Request {
	op := pick(d, d.api.operations)
	for range 2 { // what holds data is asked for more often, and above all what creates
		creates := op.method == "POST" && !strings.Contains(op.path, "/auth/")
		if !creates && d.chance(30) || len(op.parameters) == 0 && op.body == nil && d.chance(50) {
			op = pick(d, d.api.operations)
		}
	}
	r := &Request{Step: step, Operation: op.id, Method: op.method, op: op, Header: d.credential()}
	r.Stream = strings.HasSuffix(op.path, "/stream")
	r.spoilt = d.chance(35)
	fault := ""
	if r.spoilt {
		kinds := []string{"header", "query", "path"}
		if op.body != nil {
			kinds = append(kinds, "value", "value", "value", "value", "text", "header")
		}
		fault = pick(d, kinds)
	}
	d.target(r, fault)
	if op.body != nil {
		d.body(r, fault)
	}
	if fault == "header" {
		d.spoilHeader(r)
	}
	return r
}

// target draws path, query and the headers that are parameters.
func (d *drawer) target(r *Request, fault string) {
	path, query := r.op.path, []string{}
	for _, p := range r.op.parameters {
		switch p.in {
		case "path":
			path = strings.Replace(path, "{"+p.name+"}", url.PathEscape(d.pathValue(r.op, p)), 1)
		case "query":
			if !p.required && !d.chance(35) {
				continue
			}
			if p.name == "cursor" {
				if refs := d.pool.refs["cursor:"+r.op.path]; len(refs) > 0 {
					query = append(query, "cursor="+pick(d, refs))
				}
				continue
			}
			value := d.value(p.schema, p.name)
			text, ok := value.(string)
			if !ok {
				text = encode(value)
			}
			query = append(query, url.QueryEscape(p.name)+"="+url.QueryEscape(text))
		case "header":
			if d.chance(25) {
				d.header(r, p.name)
			}
		}
	}
	// Marks are no letters that may be escaped.
	q := unescapeMarks(strings.Join(query, "&"))
	path = unescapeMarks(path)
	switch fault {
	case "query":
		q = d.spoilQuery(q)
	case "path":
		cut := 1 + d.IntN(len(path)-1)
		path = pick(d, []string{
			path + "/", path + "/x", path + "%00", path + "%ff", path + "%zz", "/" + path, strings.ToUpper(path), path[:cut], path + "%2f", path + "/..", path + "/../x", path + ";x",
			strings.Replace(path, "/", "//", 2), strings.Replace(path, "a", "%61", 1),
		})
		path = strings.TrimRight(path, "%")
		if i := strings.LastIndex(path, markBegin); i >= 0 && !strings.Contains(path[i:], markEnd) {
			path = path[:i]
		}
		if d.chance(20) {
			r.Method = pick(d, []string{"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "QUERY", "get"})
		}
	}
	r.Target = path
	if q != "" {
		r.Target += "?" + q
	}
}

func unescapeMarks(s string) string {
	return strings.NewReplacer(url.PathEscape(markBegin), markBegin, url.PathEscape(markEnd), markEnd).Replace(s)
}

func (d *drawer) pathValue(op *operation, p parameter) string {
	if textAt(p.schema, "format") != "uuid" {
		if made := d.pool.texts["neuron_id"]; len(made) > 0 && d.chance(70) {
			return pick(d, made)
		}
		text, _ := d.value(p.schema, p.name).(string)
		return text
	}
	before, _, _ := strings.Cut(op.path, "{"+p.name+"}")
	resource := resourceOfPath(before)
	if d.chance(4) {
		return d.signalID()
	}
	return d.ref(resource)
}

func (d *drawer) header(r *Request, name string) {
	var value string
	switch name {
	case "If-Match", "If-None-Match":
		value = pick(d, []string{d.ref("etag"), d.ref("etag"), d.ref("etag") + ", " + d.ref("etag"), "*", `"9000000000000-1"`, "W/" + d.ref("etag")})
		if strings.Contains(value, absent) {
			value = "*"
		}
	case "Idempotency-Key":
		value = pick(d, []string{"k1", "k2", "k3", `"k1"`, "k4", strings.Repeat("k", 255), "with space", "ü"})
	case "Last-Event-ID":
		value = pick(d, []string{absent, "x", "", "0"})
	default:
		value = pick(d, []string{"none", "x", "pAAAAAQAAAAAADALmo"})
	}
	r.Header = append(r.Header, [2]string{name, value})
}

// spoilHeader adds a header that is wrong or means something to HTTP.
func (d *drawer) spoilHeader(r *Request) {
	long := strings.Repeat("x", 300)
	r.Header = append(r.Header, pick(d, [][2]string{
		{"If-Match", "17-1"},
		{"If-Match", `"`},
		{"If-Match", `"a`},
		{"If-Match", ""},
		{"If-Match", strings.Repeat(`"1-1",`, 200)},
		{"If-Match", `"-1-1"`},
		{"If-Match", `"99999999999999999999-1"`},
		{"If-None-Match", "*, *"},
		{"If-None-Match", "x"},
		{"If-None-Match", `W/"`},
		{"If-None-Match", "\xff"},
		{"Idempotency-Key", ""},
		{"Idempotency-Key", long},
		{"Idempotency-Key", "\xff"},
		{"Idempotency-Key", `""`},
		{"Idempotency-Key", "a\tb"},
		{"Idempotency-Key", `"a\"b"`},
		{"HAL9-Consistency-Token", "x"},
		{"HAL9-Consistency-Token", ""},
		{"HAL9-Consistency-Token", long},
		{"Last-Event-ID", long},
		{"Last-Event-ID", "\xff"},
		{"Accept-Encoding", "gzip"},
		{"Accept-Encoding", "br;q=2, *;q=x"},
		{"Accept-Encoding", "identity;q=0"},
		{"Accept", "text/html"},
		{"Accept", "application/cbor"},
		{"Accept", ";;"},
		{"Content-Type", "text/plain"},
		{"Content-Type", "application/json; charset=latin1"},
		{"Content-Type", "application/x-ndjson"},
		{"Content-Type", "application/json;"},
		{"Content-Type", "APPLICATION/JSON"},
		{"Content-Type", "multipart/form-data"},
		{"Content-Encoding", "gzip"},
		{"Content-Encoding", "zstd"},
		{"Content-Encoding", "br"},
		{"Content-Encoding", "gzip, gzip"},
		{"Content-Encoding", "identity"},
		{"X-Forwarded-For", "10.0.0.1"},
		{"Forwarded", "for=\"[::1"},
		{"Origin", "https://example.org"},
		{"Origin", "null"},
		{"X-Request-Id", "a b"},
		{"Traceparent", "00-x"},
		{"Range", "bytes=0-1"},
		{"X-HTTP-Method-Override", "DELETE"},
	}))
}

// body draws the body.
func (d *drawer) body(r *Request, fault string) {
	contentType := r.op.bodyType
	if strings.HasSuffix(contentType, "ndjson") {
		d.lines(r, fault)
	} else {
		r.Body = d.json(r.op.body, r.op.examples, fault)
		if fault == "text" {
			r.Body = d.spoilText(r.Body)
		}
	}
	r.Header = append(r.Header, [2]string{"Content-Type", contentType})
}

func (d *drawer) json(schema object, examples []any, fault string) string {
	var value node
	if len(examples) > 0 && d.chance(10) {
		value = nodeOf(pick(d, examples))
	} else {
		value = d.value(schema, "")
	}
	if fault == "value" {
		for range 1 + d.IntN(2) {
			d.spoil(&value)
		}
	}
	return encode(value)
}

// lines draws a stream of signals, compressed now and then.
func (d *drawer) lines(r *Request, fault string) {
	schema := d.api.at("/components/schemas/SignalFields")
	var b strings.Builder
	for range d.IntN(8) {
		lineFault := ""
		if fault == "value" && d.chance(50) {
			lineFault = fault
		}
		line := d.json(schema, nil, lineFault)
		if fault == "text" && d.chance(40) {
			line = d.spoilText(line)
		}
		b.WriteString(line)
		b.WriteString(pick(d, []string{"\n", "\n", "\n", "\r\n", "\n\n"}))
	}
	r.Body = b.String()
	if !d.chance(25) {
		return
	}
	// What is compressed must not hold marks: they have other lengths in the end.
	plain := markPattern.ReplaceAllString(r.Body, absent)
	var packed bytes.Buffer
	encoding := pick(d, []string{"gzip", "zstd"})
	if encoding == "gzip" {
		w := gzip.NewWriter(&packed)
		_, _ = w.Write([]byte(plain)) // memory takes it all
		_ = w.Close()
	} else {
		w, err := zstd.NewWriter(&packed, zstd.WithEncoderConcurrency(1))
		if err != nil {
			return
		}
		_, _ = w.Write([]byte(plain))
		_ = w.Close()
	}
	r.Header = append(r.Header, [2]string{"Content-Encoding", encoding})
	r.Body = packed.String()
	if fault != "" && len(r.Body) > 1 && d.chance(70) {
		cut := d.IntN(len(r.Body))
		r.Body = pick(d, []string{r.Body[:cut], r.Body + "x", r.Body[:cut] + "\x00" + r.Body[cut+1:], r.Body + r.Body})
	}
}

// curl is the request as a shell would send it.
func (r *Request) curl(base string, p *pool, server int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "curl -sg -X %s %s", r.Method, quote(base+p.fill(r.Target, server)))
	for _, h := range r.Header {
		separator := ": "
		if h[1] == "" {
			h[0] += ";"
			separator = ""
		}
		fmt.Fprintf(&b, " -H %s", quote(h[0]+separator+p.fill(h[1], server)))
	}
	if r.Body != "" {
		body := p.fill(r.Body, server)
		const longest = 2000
		if len(body) > longest {
			return b.String() + " --data-binary " + quote(body[:longest]) + "… # " + strconv.Itoa(len(body)) + " bytes"
		}
		fmt.Fprintf(&b, " --data-binary %s", quote(body))
	}
	return b.String()
}

// quote makes a word of a shell's, with escapes as bash knows them where it must.
func quote(s string) string {
	plain := true
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7e || c == '\'' {
			plain = false
		}
	}
	if plain {
		return "'" + s + "'"
	}
	var b strings.Builder
	b.WriteString("$'")
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\'' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < 0x20 || c > 0x7e:
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('\'')
	return b.String()
}
