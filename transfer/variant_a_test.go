package transfer_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/transfer"
)

// The tables of variant A beside the accounts.
func TestVariantARecords(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, st model.Store) {
		source := newSource(t, ddlA+"CREATE TABLE plugins (x); INSERT INTO plugins VALUES (1), (2);")
		source.user(t, values{"id": "u-1", "updated_at": 1749722400})
		source.insert(t, "neurons", values{"id": "strategic-planner", "layer": "Strategic", "system_prompt": "plan", "settings": `{"t":0.5}`, "state": "Failed", "created_at": 1749722400, "updated_at": 1749722500})
		source.signal(t, values{"id": "s-1", "from_neuron": "strategic-planner", "propagation_type": "backward", "metadata": `{"parent_id":"m-1"}`})
		source.insert(t, "memories", values{"id": "m-1", "neuron_id": "strategic-planner", "content": "remember", "importance": 0.7, "context": `{"signal_id":"s-1","k":1}`, "created_at": 1749722400})
		source.insert(t, "metrics_aggregate", values{"id": "metric-1", "metric_name": "latency", "neuron_id": "strategic-planner", "value": 2.5, "labels": `{"l":"x"}`, "timestamp": 1749722400})
		source.insert(t, "audit_log", values{"id": "a-1", "user_id": "u-1", "action": "login", "resource_type": "user", "resource_id": "u-1", "details": `{"ok":true}`, "ip_address": "::1", "user_agent": "curl", "created_at": 1749722400})
		source.insert(t, "audit_log", values{"id": numbered(7), "action": "start", "resource_type": "neuron", "resource_id": "strategic-planner", "created_at": 1749722401})
		path := source.done(t)
		before, err := st.DatabaseEpochGet(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		dry := imported(t, path, st, transfer.Options{DryRun: true})
		if at, err := st.DatabaseEpochGet(t.Context()); err != nil || at != before || dry.Epoch != 0 {
			t.Errorf("the dry run raised the epoch: %d to %d, %v", before, at, err)
		}
		report := imported(t, path, st, transfer.Options{})
		if at, err := st.DatabaseEpochGet(t.Context()); err != nil || at <= before || report.Epoch != at {
			t.Errorf("the epoch is %d after %d, and reported as %d: %v", at, before, report.Epoch, err)
		}
		for name, rows := range map[string]int64{"neurons": 1, "signals": 1, "users": 1, "api_keys": 0, "sessions": 0, "memories": 1, "metrics_aggregate": 1, "audit_log": 2} {
			wantCounts(t, table(t, dry, name), rows, rows, 0, 0)
			wantCounts(t, table(t, report, name), rows, rows, 0, 0)
		}
		if len(report.NotImported) != 2 || report.NotImported[1].Table != "plugins" || *report.NotImported[1].Rows != 2 {
			t.Errorf("left behind: %+v", report.NotImported)
		}

		n, err := st.NeuronGet(t.Context(), model.NeuronGetParams{ID: "strategic-planner"})
		if err != nil || n.Layer != "L4" || n.State != "Failed" || n.Condition != model.ConditionFailed || n.SystemPrompt != "plan" || n.UpdatedAt.Unix() != 1749722500 {
			t.Errorf("neuron: %+v, %v", n, err)
		}
		signalID, memoryID, userID := model.LegacyID("signal", "s-1"), model.LegacyID("memory", "m-1"), model.LegacyID("user", "u-1")
		s, err := st.SignalFind(t.Context(), model.SignalFindParams{ID: signalID})
		if err != nil || s.PropagationType != "backward" {
			t.Errorf("signal: %+v, %v", s, err)
		}
		sameJSON(t, "signal's metadata", s.Metadata, fmt.Sprintf(`{"parent_id":%q,"legacy_parent_id":"m-1","legacy_id":"s-1"}`, memoryID))
		m := memory(t, st, memoryID.String())
		if m.Importance != 0.7 || m.Layer != nil || m.CreatedAt.Unix() != 1749722400 {
			t.Errorf("memory: %+v", m)
		}
		sameJSON(t, "memory's context", m.Context, fmt.Sprintf(`{"signal_id":%q,"k":1,"legacy_signal_id":"s-1","legacy_id":"m-1"}`, signalID))
		metrics, err := st.MetricList(t.Context(), model.MetricListParams{MetricName: "latency", Since: time.Unix(0, 0), Until: time.Now(), PageLimit: 10})
		if err != nil || len(metrics) != 1 || metrics[0].Value != 2.5 || *metrics[0].NeuronID != "strategic-planner" {
			t.Fatalf("metrics: %+v, %v", metrics, err)
		}
		sameJSON(t, "labels", metrics[0].Labels, `{"l":"x","legacy_id":"metric-1"}`)
		log, err := st.AuditList(t.Context(), model.AuditListParams{CursorCreatedAt: model.MaxTime(), CursorID: model.MaxID(), PageLimit: 10})
		if err != nil || len(log) != 2 {
			t.Fatalf("audit log: %+v, %v", log, err)
		}
		if log[0].ID != uuid.MustParse(numbered(7)) || *log[0].ResourceID != "strategic-planner" || *log[1].UserID != userID || *log[1].ResourceID != userID.String() || *log[1].IPAddress != "::1" {
			t.Errorf("audit log: %+v", log)
		}
		sameJSON(t, "details", log[1].Details, `{"ok":true,"legacy_id":"a-1","legacy_user_id":"u-1","legacy_resource_id":"u-1"}`)

		again := imported(t, path, st, transfer.Options{})
		for _, r := range again.Tables {
			if r.Written != 0 {
				t.Errorf("imported again, %s wrote %d rows", r.Table, r.Written)
			}
		}
		var text bytes.Buffer
		if err := report.Text(&text); err != nil || !strings.Contains(text.String(), "Values of audit_log:") || !strings.Contains(text.String(), `"plugins" (2 rows)`) {
			t.Errorf("%v\n%s", err, text.String())
		}
	})
}

// Tables may be missing, and the memories may be of variant C's kind.
func TestVariantAInPart(t *testing.T) {
	t.Parallel()
	st := openStore(t, "sqlite")
	source := newSource(t, ddlAUsers+ddlC+"CREATE TABLE _sqlx_migrations (version);")
	source.user(t, values{"updated_at": 1})
	source.memory(t, memoryC{"id": numbered(1)})
	report := imported(t, source.done(t), st, transfer.Options{})
	if report.Variant != "A" || len(report.Tables) != 2 {
		t.Errorf("variant %s with %d tables", report.Variant, len(report.Tables))
	}
	wantCounts(t, table(t, report, "memories"), 1, 1, 0, 0)
}

// Files of variants A and B that are cut off or damaged are refused as a whole.
func TestDamagedAccounts(t *testing.T) {
	t.Parallel()
	for name, ddl := range map[string]string{"A": ddlA, "B": ddlB} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source := newSource(t, ddl)
			for n := range 300 {
				u := values{"id": numbered(n), "username": fmt.Sprintf("user %d", n), "email": fmt.Sprintf("%d@example.org", n)}
				if name == "A" {
					u["updated_at"] = 1
				}
				source.user(t, u)
			}
			path := source.done(t)
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			wantRefused(t, write(t, nil), "is empty")
			wantRefused(t, write(t, whole[:len(whole)/2/4096*4096]), "is truncated")
			root := rootPage(t, path, "users")
			copy(whole[(root-1)*4096:], bytes.Repeat([]byte{0xaa}, 4096))
			wantRefused(t, write(t, whole), "is damaged")
		})
	}
}

// An import that is broken off midway raises the epoch for what it wrote, and goes
// on where it stopped.
func TestInterruptedAccounts(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, st model.Store) {
		source := newSource(t, ddlB)
		for n := range 20 {
			source.user(t, values{"id": numbered(n), "username": fmt.Sprintf("user%d", n), "email": ""})
		}
		path := source.done(t)
		ctx, cancel := contextWithCancel(t)
		report, err := tryImport(t, ctx, path, st, transfer.Options{ChunkRows: 5, Progress: func(p transfer.Progress) {
			if p.Done >= 10 {
				cancel()
			}
		}})
		if err == nil || errors.Is(err, model.ErrInternal) || report.Epoch == 0 {
			t.Errorf("broken off: epoch %d, %v", report.Epoch, err)
		}
		wantCounts(t, table(t, imported(t, path, st, transfer.Options{}), "users"), 20, 10, 10, 0)
	})
}
