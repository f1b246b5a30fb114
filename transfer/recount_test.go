package transfer_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/hal9-ai/hal9/internal/testenv/migrated"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/transfer"
)

type drawnTable struct {
	table   string
	columns []string
}

// recounted are the tables that the recount draws.
func recounted() []drawnTable {
	return []drawnTable{
		{"users", []string{"id", "username", "email", "password_hash", "role", "is_active", "email_verified", "created_at", "updated_at", "last_login", "avatar"}},
		{"api_keys", []string{"id", "user_id", "name", "key_hash", "permissions", "is_active", "last_used_at", "created_at", "expires_at"}},
		{"sessions", []string{"id", "user_id", "token_hash", "ip_address", "user_agent", "expires_at", "created_at"}},
		{"metrics_aggregate", []string{"id", "metric_name", "neuron_id", "value", "labels", "timestamp"}},
		{"audit_log", []string{"id", "user_id", "action", "resource_type", "resource_id", "details", "ip_address", "user_agent", "created_at"}},
		{"memories", []string{"id", "neuron_id", "content", "importance", "context", "created_at"}},
	}
}

// Whatever a file holds, every value of every row is found in the target, or the row
// is named among the skipped ones; and the report's sums agree with the file.
func TestEveryValueIsFound(t *testing.T) {
	t.Parallel()
	files := rapid.Custom(drawFile)
	onEngines(t, func(t *testing.T, st model.Store) {
		address := migrated.SQLiteDatabase
		if st.Engine() == "postgres" {
			address = migrated.PostgresDatabase
		}
		// Each file is imported into a database of its own, which takes time: some
		// dozens of rows of each table rather than rapid's hundred files.
		for seed := range 16 {
			file := files.Example(seed)
			source := newSource(t, looseAccounts+"ALTER TABLE users ADD COLUMN avatar;")
			for _, r := range recounted() {
				for _, row := range file[r.table] {
					source.insert(t, r.table, row)
				}
			}
			target := openAt(t, address(t))
			recount(t, target, file, imported(t, source.done(t), target, transfer.Options{ChunkRows: 3}))
		}
	})
}

func recount(t *testing.T, st model.Store, file map[string][]values, report *transfer.Report) {
	t.Helper()
	for _, r := range recounted() {
		told := table(t, report, r.table)
		skipped := map[int64]bool{}
		for _, s := range told.SkippedRows {
			skipped[s.RowID.(int64)] = true //nolint:forcetypeassert // tables here have rowids
		}
		if int(told.Read) != len(file[r.table]) {
			t.Fatalf("%s: %d rows read of %d", r.table, told.Read, len(file[r.table]))
		}
		for n, row := range file[r.table] {
			if skipped[int64(n+1)] {
				continue
			}
			stored := leaves(t, st, r.table, row)
			for _, column := range r.columns {
				if v := row[column]; v != nil && !holdsValue(stored, v) {
					t.Fatalf("%s.%s of row %d: %#v is nowhere in %v", r.table, column, n+1, v, stored)
				}
			}
		}
		for _, f := range told.Fields {
			nonNull := int64(0)
			for _, row := range file[r.table] {
				if row[f.Column] != nil {
					nonNull++
				}
			}
			sum := f.AsIs + f.AlreadyThere + f.Skipped
			for _, c := range append(f.Converted, f.KeptElsewhere...) {
				sum += c.Rows
			}
			if f.Values != nonNull || sum != nonNull || f.Nulls != told.Read-nonNull {
				t.Fatalf("%s.%s: %d values in the file: %+v", r.table, f.Column, nonNull, f)
			}
		}
	}
}

// drawFile draws up to six rows for each table.
func drawFile(rt *rapid.T) map[string][]values {
	ids := rapid.OneOf(rapid.Map(rapid.IntRange(1, 6), func(n int) any { return numbered(n) }), rapid.Map(rapid.IntRange(1, 4), func(n int) any { return "old " + strconv.Itoa(n) }))
	text := rapid.SampledFrom([]any{nil, "", "plain", "ümläut", "\xff\xfe", "nul\x00nul", []byte{1, 200}, int64(7), strings.Repeat("long", 80)})
	word := rapid.SampledFrom([]any{"plain", "Wörter", "a", "b", "c", nil, "", strings.Repeat("w", 256)})
	moment := rapid.SampledFrom([]any{int64(1749722400), int64(1749722400123), 1749722400.5, "2025-06-12 10:00:00", "2025-06-12T10:00:00Z", "never", nil, []byte{255}})
	truth := rapid.SampledFrom([]any{int64(0), int64(1), nil, "true", "maybe", 1.0, int64(2)})
	object := rapid.SampledFrom([]any{"{}", `{"a":1,"b":["x"]}`, `[1,"two"]`, "{broken", nil, "", []byte{255}, `"text"`})
	permissions := rapid.SampledFrom([]any{"[]", `["ViewNeuron"]`, `["ViewNeuron","Fly"]`, `{"permissions":["ViewMemory","ViewMemory"]}`, `{"permissions":[1],"more":2}`, "{broken", nil, "ViewNeuron", []byte{255}})
	number := rapid.SampledFrom([]any{1.5, int64(3), "2.25", nil, "many"})
	role := rapid.SampledFrom([]any{"user", "admin", `"Guest"`, "overlord", nil, []byte{255}})
	hash := rapid.Map(rapid.IntRange(1, 100), func(n int) any { return hashOf(strconv.Itoa(n)) })
	// Most rows can be imported, or little would be recounted.
	username := rapid.OneOf(word, rapid.Map(rapid.IntRange(1, 1000), func(n int) any { return "user " + strconv.Itoa(n) }), rapid.Map(rapid.IntRange(1, 1000), func(n int) any { return "User" + strconv.Itoa(n) }))
	kinds := rapid.SampledFrom([]any{"user", "api_key", "neuron", "", nil})
	generators := map[string]*rapid.Generator[any]{
		"id": ids, "user_id": ids, "username": username, "email": word, "password_hash": text, "role": role,
		"is_active": truth, "email_verified": truth, "created_at": moment, "updated_at": moment, "last_login": moment,
		"last_used_at": moment, "expires_at": moment, "timestamp": moment, "avatar": text, "name": text, "key_hash": hash,
		"token_hash": hash, "permissions": permissions, "ip_address": text, "user_agent": text, "metric_name": word,
		"neuron_id": word, "value": number, "importance": number, "labels": object, "details": object, "context": object,
		"action": word, "resource_type": kinds, "resource_id": ids, "content": text,
	}
	file := map[string][]values{}
	for _, r := range recounted() {
		for n := range rapid.IntRange(3, 10).Draw(rt, r.table) {
			row := values{}
			for _, column := range r.columns {
				row[column] = generators[column].Draw(rt, fmt.Sprintf("%s %d %s", r.table, n, column))
			}
			file[r.table] = append(file[r.table], row)
		}
	}
	return file
}

// leaves are all the values of a stored row and of what is kept beside it, as text.
func leaves(t *testing.T, st model.Store, name string, row values) map[string]bool {
	t.Helper()
	entity := map[string]string{"users": "user", "api_keys": "api_key", "sessions": "session", "metrics_aggregate": "metric", "audit_log": "audit", "memories": "memory"}[name]
	old, _ := row["id"].(string)
	id, err := uuid.Parse(old)
	if err != nil {
		id = model.LegacyID(entity, old)
	}
	var found any
	var owner uuid.UUID
	ctx := t.Context()
	switch name {
	case "users":
		var u model.User
		u, err = st.UserGet(ctx, model.UserGetParams{ID: id})
		found, owner = u, u.ID
	case "api_keys":
		var k model.APIKey
		k, err = st.APIKeyGetByHash(ctx, model.APIKeyGetByHashParams{KeyHash: fmt.Sprint(row["key_hash"])})
		found, owner = k, k.UserID
	case "sessions":
		var s model.Session
		s, err = st.SessionGetByTokenHash(ctx, model.SessionGetByTokenHashParams{TokenHash: fmt.Sprint(row["token_hash"])})
		found, owner = s, s.UserID
	case "memories":
		found, err = st.MemoryGet(ctx, model.MemoryGetParams{ID: id})
	case "metrics_aggregate":
		var list []model.MetricsAggregate
		list, err = st.MetricList(ctx, model.MetricListParams{MetricName: fmt.Sprint(row["metric_name"]), Since: time.Unix(0, 0), Until: model.MaxTime(), PageLimit: 100})
		for _, m := range list {
			if m.ID == id {
				found = m
			}
		}
	case "audit_log":
		var list []model.AuditLog
		list, err = st.AuditList(ctx, model.AuditListParams{CursorCreatedAt: model.MaxTime(), CursorID: model.MaxID(), PageLimit: 100})
		for _, a := range list {
			if a.ID == id {
				found = a
			}
		}
	}
	if err != nil || found == nil {
		t.Fatalf("%s %v was not skipped, and is not there: %v", name, row["id"], err)
	}
	all := map[string]bool{}
	collect(t, all, found)
	if owner != uuid.Nil {
		if kept, there := details(t, st, owner)[entity+" "+id.String()]; there {
			collect(t, all, kept)
		}
	}
	return all
}

// collect gathers the values of anything that JSON can tell.
func collect(t *testing.T, into map[string]bool, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, member := range v {
				into[strings.TrimSuffix(name, "_2")] = true
				walk(member)
			}
		case []any:
			for _, item := range v {
				walk(item)
			}
		case nil:
		default:
			into[fmt.Sprint(v)] = true
		}
		into[plainJSON(v)] = true
	}
	walk(tree)
}

// holdsValue tells whether a value of the file is among the leaves, in its own form or
// one of those that mean the same.
func holdsValue(stored map[string]bool, v any) bool {
	forms := []string{fmt.Sprint(v)}
	switch v := v.(type) {
	case int64:
		forms = append(forms, strconv.FormatFloat(float64(v), 'g', -1, 64))
		if v == 0 || v == 1 {
			forms = append(forms, strconv.FormatBool(v == 1))
		}
	case float64:
		if v == 1 {
			forms = append(forms, "true")
		}
	case []byte:
		forms = append(forms, base64.StdEncoding.EncodeToString(v))
		forms = append(forms, string(v))
	case string:
		if strings.TrimSpace(v) == "" || v == "[]" || v == "{}" {
			return true // nothing to find
		}
		forms = append(forms, base64.StdEncoding.EncodeToString([]byte(v)), strings.ToLower(strings.Trim(v, `"`)))
		var tree any
		if json.Unmarshal([]byte(v), &tree) == nil {
			if members, ok := tree.(map[string]any); ok && holdsMembers(stored, members) {
				return true
			}
			forms = append(forms, plainJSON(tree))
		}
		if strings.Contains(v, `"ViewMemory","ViewMemory"`) {
			forms = append(forms, `["ViewMemory"]`)
		}
	}
	if at, ok := map[string]string{
		"1749722400": "2025-06-12T10:00:00Z", "1749722400123": "2025-06-12T10:00:00.123Z", "1.7497224005e+09": "2025-06-12T10:00:00.5Z",
		"2025-06-12 10:00:00": "2025-06-12T10:00:00Z",
	}[fmt.Sprint(v)]; ok {
		forms = append(forms, at)
	}
	for _, f := range forms {
		if stored[f] {
			return true
		}
	}
	return false
}

// holdsMembers tells whether the members of an object are there: what is kept of a
// row is added to them.
func holdsMembers(stored map[string]bool, members map[string]any) bool {
	for name, member := range members {
		if !stored[name] || !stored[plainJSON(member)] {
			return false
		}
	}
	return true
}

// plainJSON writes what JSON was read into.
func plainJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // cannot be
	}
	return string(text)
}
