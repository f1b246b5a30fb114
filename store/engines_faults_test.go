package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
)

// testTypes writes values of wrong types past the store, into each column of the
// file: SQLite takes anything anywhere unless a check forbids it.
func testTypes(t *testing.T, p *pair) {
	user, session := uuid.New(), uuid.New()
	p.done(t, "UserInsert", aUser(user, "ann"))
	p.done(t, "SessionInsert", model.SessionInsertParams{ID: session, UserID: user, TokenHash: "t", ExpiresAt: epoch, CreatedAt: epoch})
	p.done(t, "RefreshTokenInsert", model.RefreshTokenInsertParams{ID: uuid.New(), SessionID: session, TokenHash: "r", ExpiresAt: epoch, CreatedAt: epoch})
	p.done(t, "APIKeyInsert", model.APIKeyInsertParams{ID: uuid.New(), UserID: user, Name: "k", KeyHash: "k", Permissions: model.EmptyObject(), CreatedAt: epoch})
	p.done(t, "LegacyDetailImport", model.LegacyDetailImportParams{Entity: "user", ID: user, UserID: user, Details: model.EmptyObject(), CreatedAt: epoch})
	p.done(t, "NeuronInsert", aNeuron("n"))
	p.done(t, "NeuronActivityAdd", model.NeuronActivityAddParams{NeuronID: "n", SignalsAdded: 1})
	p.done(t, "SignalInsert", aSignal(epoch))
	p.done(t, "MemoryInsert", aMemory("words"))
	p.done(t, "IdempotencyKeyClaim", model.IdempotencyKeyClaimParams{ID: "k", Fingerprint: "f", Holder: uuid.New(), CreatedAt: epoch, LockedUntil: epoch, ExpiresAt: epoch})
	p.done(t, "UpkeepLeaseAcquire", model.UpkeepLeaseAcquireParams{Name: "upkeep", Holder: "h", RenewedAt: epoch, ExpiresAt: epoch})
	p.done(t, "MetricInsert", model.MetricInsertParams{ID: uuid.New(), MetricName: "m", Labels: model.EmptyObject(), Timestamp: epoch})
	p.done(t, "AuditInsert", model.AuditInsertParams{ID: uuid.New(), Action: "a", ResourceType: "r", Details: model.EmptyObject(), CreatedAt: epoch})

	rows, err := p.liteDB.QueryContext(t.Context(), `SELECT t.name, c.name, c.type FROM sqlite_schema AS t, pragma_table_info(t.name) AS c
		WHERE t.type = 'table' AND t.name NOT LIKE 'memories_fts%' AND t.name NOT LIKE 'goose%' AND t.name NOT LIKE 'sqlite%'`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
	}()
	type column struct{ table, name, declared string }
	var columns []column
	for rows.Next() {
		var c column
		if err := rows.Scan(&c.table, &c.name, &c.declared); err != nil {
			t.Fatal(err)
		}
		columns = append(columns, c)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if len(columns) < 80 {
		t.Fatalf("only %d columns", len(columns))
	}
	wrong := map[string][]string{
		"TEXT": {"x'ff'"}, "UUID_TEXT": {"x'ff'", "'short'"}, "JSON_TEXT": {"x'7b7d'", "'{'"},
		"BIGINT": {"'many'", "1.5", "x'01'"}, "INTEGER": {"'many'", "1.5"}, "DATETIME": {"'2026-11-01'", "1.5"}, "BOOLEAN": {"'yes'", "2", "0.5"},
		"REAL": {"'much'", "x'01'"}, "BLOB": {"'text'", "5"},
	}
	for _, c := range columns {
		values, ok := wrong[c.declared]
		if !ok {
			t.Errorf("%s.%s is declared as %s", c.table, c.name, c.declared)
		}
		for _, value := range values {
			update := fmt.Sprintf("UPDATE %s SET %s = %s", c.table, c.name, value) //nolint:gosec // of the table above
			if result, err := p.liteDB.ExecContext(t.Context(), update); err == nil {
				n, err := result.RowsAffected()
				t.Errorf("%s went through, for %d rows (%v); none if testTypes puts no row into the table", update, n, err)
			}
		}
	}
}

// testUniqueViolation breaks several keys with one row: both engines name the same.
func testUniqueViolation(t *testing.T, p *pair) {
	mail, other := "ann@example.org", "bob@example.org"
	ann, bob := aUser(uuid.New(), "ann"), aUser(uuid.New(), "bob")
	ann.Email, bob.Email = &mail, &other
	p.done(t, "UserInsert", ann)
	p.done(t, "UserInsert", bob)
	p.refused(t, model.ErrConflict, "user", "id", "UserInsert", ann)
	again := ann
	again.ID = uuid.New()
	p.refused(t, model.ErrConflict, "user", "username", "UserInsert", again)
	again.Username = "carl"
	p.refused(t, model.ErrConflict, "user", "email", "UserInsert", again)
	p.refused(t, model.ErrConflict, "user", "username", "UserUpdateProfile",
		model.UserUpdateProfileParams{ID: ann.ID, Username: bob.Username, Email: bob.Email, UpdatedAt: epoch})
	// The id is there, so nothing is written, whatever else is there too.
	imported := model.UserImportParams(ann)
	imported.Username = bob.Username
	p.done(t, "UserImport", imported)

	s := model.SessionInsertParams{ID: uuid.New(), UserID: ann.ID, TokenHash: "t", ExpiresAt: epoch, CreatedAt: epoch}
	p.done(t, "SessionInsert", s)
	p.refused(t, model.ErrConflict, "session", "id", "SessionInsert", s)
	k := model.APIKeyInsertParams{ID: uuid.New(), UserID: ann.ID, Name: "k", KeyHash: "k", Permissions: model.EmptyObject(), CreatedAt: epoch}
	p.done(t, "APIKeyInsert", k)
	p.refused(t, model.ErrConflict, "api_key", "id", "APIKeyInsert", k)
	r := model.RefreshTokenInsertParams{ID: uuid.New(), SessionID: s.ID, TokenHash: "r", ExpiresAt: epoch, CreatedAt: epoch}
	p.done(t, "RefreshTokenInsert", r)
	p.refused(t, model.ErrConflict, "refresh_token", "id", "RefreshTokenInsert", r)
}

// testCheckViolation breaks several checks with one row, and a key besides.
func testCheckViolation(t *testing.T, p *pair) {
	p.done(t, "NeuronInsert", aNeuron("n"))
	bad := aNeuron("n")
	bad.Layer, bad.State, bad.Condition = "", "", "asleep"
	p.refused(t, model.ErrInvalid, "neuron", "condition", "NeuronInsert", bad)
	bad.Condition = model.ConditionFailed
	p.refused(t, model.ErrInvalid, "neuron", "layer", "NeuronInsert", bad)
	s := aSignal(epoch)
	s.FromNeuron, s.ToNeuron, s.LayerFrom, s.LayerTo = "", "", "", ""
	p.refused(t, model.ErrInvalid, "signal", "from_neuron", "SignalInsert", s)
	s.FromNeuron = "a"
	p.refused(t, model.ErrInvalid, "signal", "layer_from", "SignalInsert", s)
	p.refused(t, model.ErrInvalid, "api_key", "key_hash", "APIKeyInsert",
		model.APIKeyInsertParams{ID: uuid.New(), UserID: uuid.New(), Permissions: model.EmptyObject(), CreatedAt: epoch})
	p.refused(t, model.ErrInvalid, "neuron_activity", "signals_processed", "NeuronActivityAdd",
		model.NeuronActivityAddParams{NeuronID: "n", SignalsAdded: -1})
	const most = 1<<62 - 1
	p.done(t, "NeuronActivityAdd", model.NeuronActivityAddParams{NeuronID: "n", SignalsAdded: most})
	p.refused(t, model.ErrInvalid, "neuron_activity", "signals_processed", "NeuronActivityAdd",
		model.NeuronActivityAddParams{NeuronID: "n", SignalsAdded: most})
}

// testReferences looks for signals by what their metadata names, however it is spelt
// there, and by nothing that only looks alike.
func testReferences(t *testing.T, p *pair) {
	id := uuid.New()
	escaped := `\u00` + fmt.Sprintf("%02x", id.String()[0]) + id.String()[1:]
	want := 0
	for text, found := range map[string]bool{
		`{"signal_id":"` + id.String() + `"}`:                                   true,
		`{"parent_id":"` + id.String() + `","signal_id":5}`:                     true,
		`{"signal\u005fid":"` + escaped + `"}`:                                  true,
		`{"signal_id":"` + id.String() + `","parent_id":"` + id.String() + `"}`: true,
		`{"signal_id":"` + strings.ToUpper(id.String()) + `x"}`:                 false,
		`{"signal_id":["` + id.String() + `"]}`:                                 false,
		`{"a":{"signal_id":"` + id.String() + `"}}`:                             false,
		`[{"signal_id":"` + id.String() + `"}]`:                                 false,
		`"` + id.String() + `"`:                                                 false,
	} {
		s, m := aSignal(epoch), aMemory("x")
		s.Metadata, m.Metadata = model.JSON(text), model.JSON(text)
		p.done(t, "SignalInsert", s)
		p.done(t, "MemoryInsert", m)
		if found {
			want++
		}
	}
	signals := p.done(t, "SignalListByReference", model.SignalListByReferenceParams{Reference: id, PageLimit: 100})
	memories := p.done(t, "MemoryListByReference", model.MemoryListByReferenceParams{Reference: id, PageLimit: 100})
	if signals.value.Len() != want || memories.value.Len() != want {
		t.Errorf("found %d signals and %d memories, want %d of each", signals.value.Len(), memories.value.Len(), want)
	}
}

// testBulkDuplicates has one id at two times, which makes two signals.
func testBulkDuplicates(t *testing.T, p *pair) {
	first, second := aSignal(epoch), aSignal(epoch.Add(time.Second))
	second.ID = first.ID
	p.done(t, "SignalInsert", second)
	got := p.done(t, "SignalInsertMany", []model.SignalInsertParams{first, second, first}).value.Interface().(model.BulkResult) //nolint:forcetypeassert // as it is declared
	if got.Inserted != 1 || !slices.Equal(got.Duplicates, []int{1, 2}) {
		t.Errorf("the bulk insert ended as %+v", got)
	}
}

// testEmptyAndNone holds what is empty apart from what is not there, or makes it the
// same, on both engines alike.
func testEmptyAndNone(t *testing.T, p *pair) {
	for _, embedding := range [][]byte{nil, {}, {0}} {
		m := aMemory("x")
		m.Embedding = embedding
		got := p.done(t, "MemoryInsert", m).value.Interface().(model.Memory) //nolint:forcetypeassert // as it is declared
		if len(embedding) == 0 && got.Embedding != nil {
			t.Errorf("an empty embedding reads back as %#v", got.Embedding)
		}
	}
	empty := ""
	p.done(t, "AuditInsert", model.AuditInsertParams{ID: uuid.New(), Action: "a", ResourceType: "r", ResourceID: &empty, UserAgent: &empty, Details: model.EmptyObject(), CreatedAt: epoch})
	p.done(t, "AuditList", model.AuditListParams{CursorCreatedAt: model.MaxTime(), CursorID: model.MaxID(), PageLimit: 10})
	p.done(t, "MemorySearch", model.MemorySearchParams{Phrases: model.JSON("[]"), PageLimit: 10, PageBytes: 1 << 30}) // asks for nothing
	for _, limit := range []int64{0, 1 << 62} {
		p.done(t, "NeuronList", model.NeuronListParams{PageLimit: limit})
	}
}

// testErrorsOfATransaction wants a function's own error back as it is.
func testErrorsOfATransaction(t *testing.T, p *pair) {
	mine := errors.New("mine")
	for _, st := range []model.Store{p.pg, p.lite} {
		err := st.InTx(t.Context(), func(ctx context.Context, tx model.Tx) error {
			if _, err := tx.NeuronInsert(ctx, aNeuron("n")); err != nil {
				return err
			}
			return mine
		})
		if err != mine { //nolint:errorlint // the very same
			t.Errorf("%s: got %v", st.Engine(), err)
		}
		err = st.InTx(t.Context(), func(ctx context.Context, tx model.Tx) error {
			_, err := tx.NeuronGet(ctx, model.NeuronGetParams{ID: "n"})
			return fmt.Errorf("look for it: %w", err)
		})
		if !errors.Is(err, model.ErrNotFound) || err.Error() != "look for it: neuron: not found" {
			t.Errorf("%s: got %v", st.Engine(), err)
		}
	}
}
