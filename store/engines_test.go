package store_test

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/internal/searchtext"
	"github.com/hal9-ai/hal9/model"
)

// TestEngineDifferences holds both engines to one answer where, left to themselves,
// they differ: each subtest is one such difference, beside those that the conformance
// suite has.
func TestEngineDifferences(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]func(*testing.T, *pair){
		"order of text":             testOrderOfText,
		"order of NULL":             testOrderOfNull,
		"LIKE and lower":            testLikeAndLower,
		"JSON":                      testNastyJSON,
		"full text":                 testFullText,
		"types":                     testTypes,
		"foreign keys":              testForeignKeys,
		"ids":                       testIDs,
		"unique violation":          testUniqueViolation,
		"check violation":           testCheckViolation,
		"parameters in a statement": testManyParameters,
		"length":                    testLength,
		"references":                testReferences,
		"duplicates in bulk":        testBulkDuplicates,
		"empty and none":            testEmptyAndNone,
		"errors of a transaction":   testErrorsOfATransaction,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newPair(t))
		})
	}
}

// same makes a call on both engines, and wants the same answer. It returns
// PostgreSQL's.
func (p *pair) same(t *testing.T, method string, arg any) answer {
	t.Helper()
	c := call{method: method, arg: reflect.ValueOf(arg)}
	if rows, ok := arg.([]model.SignalInsertParams); ok {
		c = call{method: method, bulk: rows}
	}
	pg, lite := c.run(t.Context(), p.pg), c.run(t.Context(), p.lite)
	if diff, _ := p.diffAnswers(c, pg, lite); diff != "" {
		t.Errorf("%.500s:\n   PostgreSQL against SQLite: %.500s", c, diff)
	}
	return pg
}

// done is same of a call that must succeed.
func (p *pair) done(t *testing.T, method string, arg any) answer {
	t.Helper()
	a := p.same(t, method, arg)
	if a.err != nil {
		t.Fatalf("%s: %v (cause %v)", method, a.err, causeOf(a.err))
	}
	return a
}

// refused is same of a call that must fail in the given way.
func (p *pair) refused(t *testing.T, kind error, entity, field, method string, arg any) {
	t.Helper()
	a := p.same(t, method, arg)
	var own *model.Error
	if !errors.As(a.err, &own) || !errors.Is(own.Kind, kind) || own.Entity != entity || own.Field != field {
		t.Errorf("%s: got %v, want %v of %s.%s", method, a.err, kind, entity, field)
	}
}

var epoch = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

func aNeuron(id string) model.NeuronInsertParams {
	return model.NeuronInsertParams{ID: id, Layer: "L1", Settings: model.EmptyObject(), State: model.StateIdle, Condition: model.ConditionRunning, CreatedAt: epoch}
}

func aUser(id uuid.UUID, name string) model.UserInsertParams {
	return model.UserInsertParams{ID: id, Username: name, PasswordHash: "h", Role: "user", CreatedAt: epoch, UpdatedAt: epoch}
}

func aMemory(content string) model.MemoryInsertParams {
	return model.MemoryInsertParams{ID: uuid.New(), NeuronID: "n", Content: content, Context: model.EmptyObject(), Metadata: model.EmptyObject(), CreatedAt: epoch}
}

func aSignal(at time.Time) model.SignalInsertParams {
	return model.SignalInsertParams{ID: uuid.New(), FromNeuron: "a", ToNeuron: "b", LayerFrom: "L1", LayerTo: "L2", Metadata: model.EmptyObject(), Timestamp: at}
}

func testOrderOfText(t *testing.T, p *pair) {
	names := []string{"a", "B", "Z", "é", "z", "_", "-", "aa", "a b", "0", "ß", "中", "e\u0301", "A"}
	for i, name := range names {
		p.done(t, "NeuronInsert", aNeuron(name))
		p.done(t, "NeuronActivityAdd", model.NeuronActivityAddParams{NeuronID: name, SignalsAdded: 1})
		p.done(t, "UserInsert", aUser(uuid.New(), name))
		p.done(t, "NeuronSetState", model.NeuronSetStateParams{ID: name, State: names[len(names)-1-i], Condition: model.ConditionRunning, UpdatedAt: epoch})
	}
	slices.Sort(names)                                                                                         // by bytes
	list := p.done(t, "NeuronList", model.NeuronListParams{PageLimit: 100}).value.Interface().([]model.Neuron) //nolint:forcetypeassert // as it is declared
	for i, n := range list {
		if n.ID != names[i] {
			t.Errorf("neuron %d is %q, want %q", i, n.ID, names[i])
		}
	}
	p.done(t, "NeuronActivityList", model.NeuronActivityListParams{PageLimit: 100})
	p.done(t, "UserList", model.UserListParams{AfterUsername: "B", PageLimit: 100})
	for _, st := range []model.Store{p.pg, p.lite} {
		counts, err := st.NeuronCountByState(t.Context())
		if err != nil || !slices.IsSortedFunc(counts, func(a, b model.NeuronCountByStateRow) int { return strings.Compare(a.State, b.State) }) {
			t.Errorf("%s counts %v (%v)", st.Engine(), counts, err)
		}
	}
}

var orderBy = regexp.MustCompile(`ORDER BY ([^)]*?)(?:\n|$|LIMIT|\))`)

// testOrderOfNull proves that no list is ordered by what may be NULL: there the
// engines differ, and the keyset comparison of a page would lose rows on both.
func testOrderOfNull(t *testing.T, p *pair) {
	nullable := map[string][]string{} // column: tables
	rows, err := p.pgConn.Query(t.Context(), `SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' AND is_nullable = 'YES'`)
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			t.Fatal(err)
		}
		nullable[column] = append(nullable[column], table)
	}
	if rows.Err() != nil || nullable["last_login"] == nil {
		t.Fatalf("nullable columns: %v, %v", nullable, rows.Err())
	}
	found := 0
	for _, pkg := range []string{"pgdb", "sqlitedb"} {
		for _, q := range queryTexts(t, pkg) {
			words := strings.Fields(q.text)
			for _, m := range orderBy.FindAllStringSubmatch(q.text, -1) {
				for term := range strings.SplitSeq(m[1], ",") {
					column, _, _ := strings.Cut(strings.TrimSpace(term), " ")
					column = column[strings.LastIndexByte(column, '.')+1:]
					found++
					if slices.ContainsFunc(nullable[column], func(table string) bool { return slices.Contains(words, table) }) {
						t.Errorf("%s of %s is ordered by %s, which may be NULL", q.name, pkg, column)
					}
				}
			}
		}
	}
	if found < 40 {
		t.Errorf("only %d terms of ORDER BY were found", found)
	}
}

var (
	comments    = regexp.MustCompile(`--.*`)
	foldingWord = regexp.MustCompile(`(?i)\b(LIKE|ILIKE|SIMILAR|GLOB|REGEXP|lower|upper|NOCASE|citext)\b`)
)

func testLikeAndLower(t *testing.T, p *pair) {
	for _, pkg := range []string{"pgdb", "sqlitedb"} {
		for _, q := range queryTexts(t, pkg) {
			if word := foldingWord.FindString(comments.ReplaceAllString(q.text, "")); word != "" {
				t.Errorf("%s of %s uses %s, which the engines take differently", q.name, pkg, word)
			}
		}
	}
	p.done(t, "NeuronInsert", aNeuron("Ann"))
	p.done(t, "UserInsert", aUser(uuid.New(), "Änne"))
	for _, other := range []string{"ann", "ANN", "A%", "A__", "Ann "} {
		p.refused(t, model.ErrNotFound, "neuron", "", "NeuronGet", model.NeuronGetParams{ID: other})
	}
	for _, other := range []string{"änne", "ÄNNE", "%", "A\u0308nne"} {
		p.refused(t, model.ErrNotFound, "user", "", "UserGetByUsername", model.UserGetByUsernameParams{Username: other})
	}
	for _, layer := range []string{"l1", "L_", "L%"} {
		a := p.done(t, "NeuronList", model.NeuronListParams{Layer: &layer, PageLimit: 10})
		if a.value.Len() != 0 {
			t.Errorf("layer %q finds %d neurons of L1", layer, a.value.Len())
		}
	}
}

func testNastyJSON(t *testing.T, p *pair) {
	stored := 0
	for _, text := range append(slices.Clone(nastyJSON), poolJSON...) {
		m := aMemory("x")
		m.Metadata = model.JSON(text)
		a := p.same(t, "MemoryInsert", m)
		if a.err != nil && !errors.Is(a.err, model.ErrInvalid) {
			t.Errorf("%.100q: %v (cause %v)", text, a.err, causeOf(a.err))
		}
		if a.err == nil {
			stored++
			got := p.done(t, "MemoryGet", model.MemoryGetParams{ID: m.ID}).value.Interface().(model.Memory) //nolint:forcetypeassert // as it is declared
			if equal, err := model.JSONEqual(got.Metadata, m.Metadata); err != nil || !equal {
				t.Errorf("%.100q reads back as %.100q (%v)", text, got.Metadata, err)
			}
		}
	}
	if stored < 30 {
		t.Errorf("only %d values were stored", stored)
	}
}

func testFullText(t *testing.T, p *pair) {
	for i, word := range poolWords {
		p.done(t, "MemoryInsert", aMemory(word))
		p.done(t, "MemoryInsert", aMemory("before "+word+" "+poolWords[(i+1)%len(poolWords)]+" after"))
	}
	found := 0
	for i, word := range poolWords {
		for _, text := range []string{word, `"before ` + word + `"`, word + " " + poolWords[(i+1)%len(poolWords)], `"` + word + " " + poolWords[(i+1)%len(poolWords)] + `"`, `"after before"`} {
			q, err := searchtext.ParseQuery(text)
			if err != nil {
				t.Fatal(err)
			}
			a := p.done(t, "MemorySearch", model.MemorySearchParams{Match: q.Match(), Phrases: model.JSON(q.PhrasesJSON()), PageLimit: 1000, PageBytes: 1 << 30})
			found += a.value.Len()
			if a.value.Len() == 0 && !q.Empty() && text != `"after before"` {
				t.Errorf("%q finds nothing, though it was stored", text)
			}
		}
	}
	t.Logf("%d found", found)
}

func testForeignKeys(t *testing.T, p *pair) {
	user, session := uuid.New(), uuid.New()
	p.done(t, "UserInsert", aUser(user, "ann"))
	s := model.SessionInsertParams{ID: session, UserID: user, TokenHash: "t", ExpiresAt: epoch, CreatedAt: epoch}
	p.done(t, "SessionInsert", s)
	p.done(t, "RefreshTokenInsert", model.RefreshTokenInsertParams{ID: uuid.New(), SessionID: session, TokenHash: "r", ExpiresAt: epoch, CreatedAt: epoch})
	s.ID, s.UserID, s.TokenHash = uuid.New(), uuid.New(), "other"
	p.refused(t, model.ErrInvalid, "session", "user_id", "SessionInsert", s)
	p.refused(t, model.ErrInvalid, "refresh_token", "session_id", "RefreshTokenInsert",
		model.RefreshTokenInsertParams{ID: uuid.New(), SessionID: user, TokenHash: "r2", ExpiresAt: epoch, CreatedAt: epoch})
	p.refused(t, model.ErrInvalid, "api_key", "user_id", "APIKeyInsert",
		model.APIKeyInsertParams{ID: uuid.New(), UserID: session, Name: "k", KeyHash: "k", Permissions: model.EmptyObject(), CreatedAt: epoch})
	p.refused(t, model.ErrNotFound, "user", "", "UserDelete", model.UserDeleteParams{ID: user}) // not with a session
	p.done(t, "SessionDeleteByUser", model.SessionDeleteByUserParams{UserID: user})
	p.done(t, "UserDelete", model.UserDeleteParams{ID: user})
	p.refused(t, model.ErrNotFound, "refresh_token", "", "RefreshTokenGetByHash", model.RefreshTokenGetByHashParams{TokenHash: "r"})
}

// testIDs proves that no engine numbers rows: what is deleted gives its id to nobody.
func testIDs(t *testing.T, p *pair) {
	var numbered int
	err := p.pgConn.QueryRow(t.Context(), `SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'id'
		AND table_name NOT IN ('database_epoch', 'schema_compatibility') AND table_name NOT LIKE 'goose%' AND (column_default IS NOT NULL OR is_identity = 'YES')`).Scan(&numbered)
	if err != nil || numbered != 0 {
		t.Errorf("%d tables of PostgreSQL make ids (%v)", numbered, err)
	}
	first := aMemory("first")
	p.done(t, "MemoryInsert", first)
	p.done(t, "MemoryDelete", model.MemoryDeleteParams{ID: first.ID})
	second := aMemory("second")
	got := p.done(t, "MemoryInsert", second).value.Interface().(model.Memory) //nolint:forcetypeassert // as it is declared
	if got.ID != second.ID {
		t.Errorf("stored under %s, not under the id that was given", got.ID)
	}
	p.refused(t, model.ErrNotFound, "memory", "", "MemoryGet", model.MemoryGetParams{ID: first.ID})
}

func testManyParameters(t *testing.T, p *pair) {
	rows := make([]model.SignalInsertParams, 7_500) // of nine parameters each
	for i := range rows {
		rows[i] = aSignal(epoch.Add(time.Duration(i) * time.Millisecond))
	}
	rows[7_499] = rows[0]
	rows[5_000].ToNeuron = ""
	got := p.done(t, "SignalInsertMany", rows).value.Interface().(model.BulkResult) //nolint:forcetypeassert // as it is declared
	if got.Inserted != 7_498 || !slices.Equal(got.Duplicates, []int{7_499}) || len(got.Failed) != 1 || got.Failed[0].Index != 5_000 {
		t.Errorf("the bulk insert ended as %+v", got)
	}
	ids := make([]string, 66_000) // more than either engine takes as parameters
	for i := range ids {
		ids[i] = `"` + uuid.NewString() + `"`
	}
	ids[65_999] = `"` + rows[1].ID.String() + `"`
	stored := p.done(t, "SignalListStoredIDs", model.SignalListStoredIDsParams{Ids: model.JSON("[" + strings.Join(ids, ",") + "]")})
	if stored.value.Len() != 1 {
		t.Errorf("%d of the ids are stored, want 1", stored.value.Len())
	}
}

func testLength(t *testing.T, p *pair) {
	long := strings.Repeat("😀", 255)
	n := aNeuron(long)
	n.Layer, n.State, n.SystemPrompt = long, long, strings.Repeat("中", 1<<20/3)
	p.done(t, "NeuronInsert", n)
	p.done(t, "NeuronGet", model.NeuronGetParams{ID: long})
	n.ID += "x"
	p.refused(t, model.ErrInvalid, "neuron", "id", "NeuronInsert", n)

	m := aMemory(strings.Repeat("words of many sorts ", 1<<20/20))
	m.NeuronID, m.Layer, m.EntryType = long, &long, &long
	m.Metadata = model.JSON(`{"signal_id":"` + strings.Repeat("x", 64<<10) + `","parent_id":"` + strings.Repeat("y", 64<<10) + `"}`)
	m.Context, m.Embedding = m.Metadata, make([]byte, 1<<20)
	p.done(t, "MemoryInsert", m)
	p.done(t, "MemoryGet", model.MemoryGetParams{ID: m.ID})
	different := make([]string, 0, 150_000)
	for i := range cap(different) {
		different = append(different, fmt.Sprintf("w%x", i))
	}
	p.done(t, "MemoryInsert", aMemory(strings.Join(different, " "))) // a text index entry beyond 1 MB

	s := aSignal(epoch)
	s.FromNeuron, s.ToNeuron, s.LayerFrom, s.LayerTo, s.Content, s.Metadata = long, long, long, long, m.Content, m.Metadata
	p.done(t, "SignalInsert", s)
	s.ID = uuid.New()
	p.done(t, "SignalInsertMany", []model.SignalInsertParams{s})
	p.done(t, "SignalGet", model.SignalGetParams{ID: s.ID, Timestamp: s.Timestamp})
}
