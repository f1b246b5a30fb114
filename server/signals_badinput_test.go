package server_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/server"
)

func TestSignalBadInput(t *testing.T) {
	t.Parallel()
	retention := func(d *server.Deps) { d.Identities.Retention = 30 * 24 * time.Hour }
	for _, engine := range []string{sqliteEngine, postgresEngine} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, engine, retention)
			ids := model.NewIDGenerator(s.clock.Now)
			now := s.clock.Now()
			with := func(field string) string { return `{"content":"x","layer_to":"L1",` + field + `}` }
			text := func(name, value string) string { return with(fmt.Sprintf("%q:%q", name, value)) }
			deep := strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat("}", 70)
			const send, create, get = "POST /api/v1/signal", "POST /api/v1/signals", "GET /api/v1/signals"
			tests := []struct {
				route, body string
				status      int
				names       string
			}{
				{send, ``, 400, "body"},
				{send, `{`, 400, "body"},
				{send, `[]`, 422, "body"},
				{send, `null`, 422, "body"},
				{send, `{"content":"x"}`, 422, "layer"},
				{send, `{"layer":"L4"}`, 422, "content"},
				{send, `{"content":"","layer":"L4"}`, 422, "body.content"},
				{send, `{"content":7,"layer":"L4"}`, 422, "body.content"},
				{send, `{"content":"a\u0000b","layer":"L4"}`, 422, "body.content"},
				{send, `{"content":"a\ud800b","layer":"L4"}`, 400, "body"},
				{send, "{\"content\":\"a\xff\",\"layer\":\"L4\"}", 400, "body"},
				{send, `{"content":"x","content":"y","layer":"L4"}`, 400, "body"},
				{send, `{"content":"x","layer":"L5"}`, 422, "body.layer"},
				{send, `{"content":"x","layer":"API"}`, 422, "body.layer"},
				{send, `{"content":"x","layer":"L4","neuron_id":""}`, 422, "body.neuron_id"},
				{send, `{"content":"x","layer":"L4","neuron_id":"` + strings.Repeat("n", 256) + `"}`, 422, "body.neuron_id"},
				{send, `{"content":"x","layer":"L4","neuron_id":"a\u0000"}`, 422, "body.neuron_id"},
				{send, `{"content":"x","layer":"L4","admin":true}`, 422, "body.admin"},
				{send, `{"content":"` + strings.Repeat("é", 1<<19+1) + `","layer":"L4"}`, 422, "body.content"},

				{create, `{`, 400, "body"},
				{create, `{"content":"` + strings.Repeat("é", 1<<19+1) + `","layer_to":"L4"}`, 422, "body.content"},
				{create, `[{"content":"x","layer_to":"L4"},{"content":"` + strings.Repeat("é", 1<<19+1) + `","layer_to":"L4"}]`, 422, "body[1].content"},
				{create, `"x"`, 422, "body"},
				{create, `null`, 422, "body"},
				{create, `{}`, 422, "body"},
				{create, `[null]`, 422, "body[0]"},
				{create, `[[]]`, 422, "body[0]"},
				{create, with(`"surprise":1`), 422, "body.surprise"},
				{create, text("id", "x"), 422, "body.id"},
				{create, text("id", "urn:uuid:"+ids.New().String()), 422, "body.id"},
				{create, text("id", uuid.Must(uuid.NewRandom()).String()), 422, "body.id"},
				{create, text("id", uuid.Nil.String()), 422, "body.id"},
				{create, text("id", uuid.Max.String()), 422, "body.id"},
				{create, text("id", ids.NewAt(now.Add(2*time.Minute)).String()), 422, "body.id"},
				{create, text("id", ids.NewAt(now.AddDate(0, 0, -31)).String()), 422, "body.id"},
				{create, "[" + text("id", "x") + "]", 422, "body[0].id"},
				{create, text("timestamp", "yesterday"), 422, "body.timestamp"},
				{create, text("timestamp", "2026-02-30T00:00:00Z"), 422, "body.timestamp"},
				{create, with(`"timestamp":1700000000`), 422, "body.timestamp"},
				{create, text("timestamp", now.Add(2*time.Minute).Format(time.RFC3339)), 422, "body.timestamp"},
				{create, text("timestamp", now.AddDate(0, 0, -31).Format(time.RFC3339)), 422, "body.timestamp"},
				{create, text("timestamp", "0000-01-01T00:00:00Z"), 422, "body.timestamp"},
				{create, text("timestamp", "9999-12-31T23:59:59.9999999Z"), 422, "body.timestamp"},
				{create, with(fmt.Sprintf(`"id":%q,"timestamp":%q`, ids.New(), now.Add(-time.Second).Format(time.RFC3339Nano))), 422, "body.timestamp"},
				{create, text("layer_from", "nowhere"), 422, "body.layer_from"},
				{create, text("from_neuron", ""), 422, "body.from_neuron"},
				{create, text("propagation_type", ""), 422, "body.propagation_type"},
				{create, with(`"from_neuron":"a\u0000"`), 422, "body.from_neuron"},
				{create, with(`"metadata":[]`), 422, "body.metadata"},
				{create, with(`"metadata":"{}"`), 422, "body.metadata"},
				{create, with(`"metadata":{"n":1e999}`), 422, "body.metadata"},
				{create, with(`"metadata":{"n":"\u0000"}`), 422, "body.metadata"},
				{create, with(`"metadata":{"\u0000":1}`), 422, "body.metadata"},
				{create, with(`"metadata":{"a":1,"a":2}`), 400, "body"},
				{create, with(`"metadata":` + deep), 400, "body"},
				{create, with(`"metadata":{"a":"` + strings.Repeat("x", 64<<10) + `"}`), 422, "body.metadata"},
				{create, `{"content":"x","layer_to":"L1","Metadata":{}}`, 422, "Metadata"},

				{get + "?layer=L5", "", 422, "query.layer"},
				{get + "?layer=a%00", "", 422, "query.layer"},
				{get + "?neuron=" + strings.Repeat("n", 256), "", 422, "query.neuron"},
				{get + "?since=yesterday", "", 422, "query.since"},
				{get + "?until=2026-13-01T00:00:00Z", "", 422, "query.until"},
				{get + "?since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z", "", 422, "query.since"},
				{get + "?limit=0", "", 422, "query.limit"},
				{get + "?limit=-1", "", 422, "query.limit"},
				{get + "?limit=1001", "", 422, "query.limit"},
				{get + "?limit=99999999999999999999", "", 422, "query.limit"},
				{get + "?cursor=x", "", 422, "query.cursor"},
				{get + "?cursor=AW1hYmM", "", 422, "query.cursor"},
				{get + "?order=desc", "", 422, "order"},
				{get + "/x", "", 422, "path.id"},
				{get + "/urn:uuid:" + ids.New().String(), "", 422, "path.id"},
				{get + "/" + ids.New().String(), "", 404, "signal"},
				{get + "/" + uuid.Must(uuid.NewRandom()).String(), "", 404, "signal"},
				{get + "/ffffffff-ffff-7fff-bfff-ffffffffffff", "", 404, "signal"},
				{get + "/" + uuid.Nil.String(), "", 404, "signal"},
				{"GET /api/v1/signal/x", "", 422, "path.id"},
				{"GET /api/v1/signal/" + ids.New().String(), "", 404, "signal"},
			}
			for _, test := range tests {
				method, path, _ := strings.Cut(test.route, " ")
				r := s.ask(method, path, test.body)
				if r.status != test.status || !strings.Contains(r.body, test.names) {
					t.Errorf("%s %.120s\n got %d %.300s\nwant %d that names %s", test.route, test.body, r.status, r.body, test.status, test.names)
				}
			}
			if st := s.ingest.Stats(); st.Committed != 0 {
				t.Errorf("%d bad signals were stored", st.Committed)
			}
			// The widest bounds are no bad input.
			s.ask("GET", "/api/v1/signals?since=0001-01-01T00:00:00Z&until=9999-12-31T23:59:59.9999999Z&cursor=", "").want(200)
		})
	}
}
