package store_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hal9-ai/hal9/model"
)

// differentialTime bounds the test below, unless -rapid.checks asks for a number of
// runs.
const differentialTime = 20 * time.Second

// TestDifferential makes the same random calls on both engines and wants the same
// answers: values, rows, their order, and kinds of errors with entity and field.
func TestDifferential(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	deadline := time.Now().Add(differentialTime)
	flag.Visit(func(f *flag.Flag) {
		if strings.HasPrefix(f.Name, "rapid.") {
			deadline = time.Now().Add(24 * time.Hour)
		}
	})
	runs, calls, answered := 0, 0, map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		if time.Now().After(deadline) && !t.Failed() {
			return
		}
		p.clear(t)
		draw := rapid.SampledFrom(focuses()).Draw(rt, "focus").draw
		for i, c := range rapid.SliceOfN(rapid.Custom(draw), 20, 80).Draw(rt, "calls") {
			diff, outcome := p.compare(t.Context(), c)
			if diff != "" {
				deadline = time.Now().Add(24 * time.Hour) // for finding the shortest series
				rt.Fatalf("call %d, %s:\n   PostgreSQL against SQLite: %s", i, c, diff)
			}
			calls++
			answered[outcome]++
		}
		if diff := p.diffEverything(t.Context()); diff != "" {
			deadline = time.Now().Add(24 * time.Hour)
			rt.Fatalf("after all calls: PostgreSQL against SQLite: %s", diff)
		}
		runs++
	})
	t.Logf("%d runs, %d calls: %v", runs, calls, answered)
	if !t.Failed() && answered["none"] == 0 {
		t.Error("no call succeeded: the generators are of no use")
	}
}

// call is one call of the store's.
type call struct {
	method string
	arg    reflect.Value              // the parameters, if there are any
	bulk   []model.SignalInsertParams // of SignalInsertMany
	inner  []call                     // of InTx
	abort  bool                       // the transaction's function returns an error
	month  time.Time                  // of SignalPartitionEnsure and SignalPartitionDrop
}

func (c call) String() string {
	switch {
	case c.arg.IsValid():
		return c.method + describe(c.arg)
	case c.method == "SignalInsertMany":
		return c.method + describe(reflect.ValueOf(c.bulk))
	case c.method == "InTx":
		return fmt.Sprintf("%s, aborted %t, of %d:\n      %v", c.method, c.abort, len(c.inner), c.inner)
	default:
		return fmt.Sprintf("%s(%v)", c.method, c.month)
	}
}

// focus is a choice of calls that have to do with each other, so that a run of them
// meets its own rows.
type focus struct {
	queries []reflect.Method
	bulk    bool
}

func focuses() []focus {
	queries := reflect.TypeFor[model.Queries]()
	var all []focus
	for _, pattern := range []string{"^Neuron|^SignalInsert$", "^User|^Session|^RefreshToken|^APIKey", "^Memory", "^Signal|^NeuronActivity", "^Metric|^Audit|^DatabaseEpoch", "."} {
		f := focus{bulk: regexp.MustCompile(pattern).MatchString("SignalInsertMany")}
		for i := range queries.NumMethod() {
			query := queries.Method(i)
			if !regexp.MustCompile(pattern).MatchString(query.Name) {
				continue
			}
			if query.Name == "NeuronVersionNext" || query.Name == "NeuronApplyState" {
				continue // they give and take versions, which are each engine's own
			}
			f.queries = append(f.queries, query)
			if strings.HasSuffix(query.Name, "Insert") {
				f.queries = append(f.queries, query, query, query) // or there is nothing to find
			}
		}
		all = append(all, f)
	}
	return all
}

func (f focus) draw(t *rapid.T) call {
	kind := rapid.IntRange(0, 99).Draw(t, "kind")
	switch {
	case kind >= 95:
		return call{
			method: "InTx", abort: rapid.Bool().Draw(t, "abort"),
			inner: rapid.SliceOfN(rapid.Custom(f.drawInner), 0, 6).Draw(t, "inner"),
		}
	case kind >= 92 && f.bulk:
		method := rapid.SampledFrom([]string{"SignalPartitionEnsure", "SignalPartitionDrop"}).Draw(t, "partition method")
		return call{method: method, month: rapid.SampledFrom(poolTimes).Draw(t, "month")}
	default:
		return f.drawInner(t)
	}
}

// drawInner draws what a transaction offers too.
func (f focus) drawInner(t *rapid.T) call {
	if f.bulk && rapid.IntRange(0, 9).Draw(t, "bulk") == 9 {
		var rows []model.SignalInsertParams
		for range rapid.IntRange(0, 12).Draw(t, "rows") {
			rows = append(rows, newGenerator(t).params(reflect.TypeFor[model.SignalInsertParams]()).Interface().(model.SignalInsertParams)) //nolint:forcetypeassert // as drawn
		}
		return call{method: "SignalInsertMany", bulk: rows}
	}
	query := rapid.SampledFrom(f.queries).Draw(t, "query")
	c := call{method: query.Name}
	if query.Type.NumIn() == 2 {
		c.arg = newGenerator(t).params(query.Type.In(1))
	}
	return c
}

// compare makes the call on both engines. outcome is the kind of its error.
func (p *pair) compare(ctx context.Context, c call) (diff, outcome string) {
	switch c.method {
	case "InTx":
		return p.compareTx(ctx, c)
	case "SignalPartitionEnsure":
		_, pgErr := p.pg.SignalPartitionEnsure(ctx, c.month)
		_, liteErr := p.lite.SignalPartitionEnsure(ctx, c.month)
		return diffErrors(pgErr, liteErr), c.method
	case "SignalPartitionDrop":
		_, pgErr := p.pg.SignalPartitionDrop(ctx, c.month)
		_, liteErr := p.lite.SignalPartitionDrop(ctx, c.month)
		return diffErrors(pgErr, liteErr), c.method
	default:
		return p.diffAnswers(c, c.run(ctx, p.pg), c.run(ctx, p.lite))
	}
}

// answer is what a call returned.
type answer struct {
	value reflect.Value // not valid if the call returns an error alone
	err   error
}

// callee is what a store and its transactions have in common.
type callee interface {
	model.Queries
	model.SignalBulk
}

func (c call) run(ctx context.Context, st callee) answer {
	if c.method == "SignalInsertMany" {
		result, err := st.SignalInsertMany(ctx, c.bulk)
		return answer{reflect.ValueOf(result), err}
	}
	args := []reflect.Value{reflect.ValueOf(ctx)}
	if c.arg.IsValid() {
		args = append(args, c.arg)
	}
	out := reflect.ValueOf(st).MethodByName(c.method).Call(args)
	var a answer
	if len(out) == 2 {
		a.value = out[0]
	}
	a.err, _ = reflect.TypeAssert[error](out[len(out)-1])
	if rows, ok := reflect.TypeAssert[[]model.MemorySearchRow](out[0]); ok {
		byID(rows)
	}
	return a
}

func (p *pair) diffAnswers(c call, pg, lite answer) (diff, outcome string) {
	outcome = "none"
	var own *model.Error
	if errors.As(pg.err, &own) {
		outcome = own.Kind.Error()
	}
	if diff := diffErrors(pg.err, lite.err); diff != "" || !pg.value.IsValid() {
		return diff, outcome
	}
	if errors.Is(pg.err, model.ErrInternal) && own.Reason == "" {
		return fmt.Sprintf("both failed: %v, cause %v; %v", pg.err, own.Cause, causeOf(lite.err)), outcome
	}
	if c.method == "MemorySearch" {
		limit := c.arg.FieldByName("PageLimit").Int()
		if int64(pg.value.Len()) == limit && int64(lite.value.Len()) == limit {
			return "", outcome // which are the best is each engine's own
		}
	}
	if strings.Contains(c.method, "Delete") && pg.value.Kind() == reflect.Slice {
		inOneOrder(pg.value)
		inOneOrder(lite.value)
	}
	return p.diffValues(pg.value, lite.value), outcome
}

// inOneOrder sorts what RETURNING returns, in no order that means anything, by all but
// the versions.
func inOneOrder(rows reflect.Value) {
	text := func(i int) string {
		row := reflect.New(rows.Index(i).Type()).Elem()
		row.Set(rows.Index(i))
		if version := row.FieldByName("Version"); version.IsValid() {
			version.SetZero()
		}
		return fmt.Sprint(row.Interface())
	}
	sort.Slice(rows.Interface(), func(i, j int) bool { return text(i) < text(j) })
}

var errAbort = errors.New("the function has had enough")

func (p *pair) compareTx(ctx context.Context, c call) (diff, outcome string) {
	run := func(st model.Store) (answers []answer, err error) {
		err = st.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
			for _, inner := range c.inner {
				answers = append(answers, inner.run(ctx, tx))
			}
			if c.abort {
				return errAbort
			}
			return nil
		})
		return answers, err
	}
	seen := maps.Clone(p.pgVersionsToLite)
	pg, pgErr := run(p.pg)
	lite, liteErr := run(p.lite)
	defer func() {
		if pgErr != nil {
			p.pgVersionsToLite = seen // SQLite's counter went back; nobody else saw these
		}
	}()
	for i := range c.inner {
		if diff, _ := p.diffAnswers(c.inner[i], pg[i], lite[i]); diff != "" {
			return fmt.Sprintf("in the transaction, call %d: %s", i, diff), "InTx"
		}
	}
	if c.abort && (!errors.Is(pgErr, errAbort) || !errors.Is(liteErr, errAbort)) {
		return fmt.Sprintf("the function's own error came back as %v and %v", pgErr, liteErr), "InTx"
	}
	return diffErrors(pgErr, liteErr), "InTx"
}

// diffEverything compares all that the two databases hold.
func (p *pair) diffEverything(ctx context.Context) string {
	const all = 1 << 20
	first, last, lastID := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), model.MaxTime(), model.MaxID()
	lists := map[string]any{
		"NeuronList":         model.NeuronListParams{PageLimit: all},
		"NeuronActivityList": model.NeuronActivityListParams{PageLimit: all},
		"UserList":           model.UserListParams{PageLimit: all},
		"MemoryList":         model.MemoryListParams{CursorCreatedAt: last, CursorID: lastID, PageLimit: all},
		"AuditList":          model.AuditListParams{CursorCreatedAt: last, CursorID: lastID, PageLimit: all},
		"SignalList":         model.SignalListParams{Since: first, Until: last, CursorTimestamp: last, CursorID: lastID, PageLimit: all},
	}
	for _, id := range poolIDs {
		lists["SessionListByUser "+id.String()] = model.SessionListByUserParams{UserID: id}
		lists["APIKeyListByUser "+id.String()] = model.APIKeyListByUserParams{UserID: id, PageLimit: all}
	}
	for _, name := range append(slices.Clone(poolNames), nastyText...) {
		if model.CheckText("", "", name) == nil {
			lists["MetricList "+name] = model.MetricListParams{MetricName: name, Since: first, Until: last, PageLimit: all}
		}
	}
	for list, arg := range lists {
		method, _, _ := strings.Cut(list, " ")
		c := call{method: method, arg: reflect.ValueOf(arg)}
		pg, lite := c.run(ctx, p.pg), c.run(ctx, p.lite)
		if pg.err != nil {
			return fmt.Sprintf("%s: %v", list, pg.err)
		}
		if diff, _ := p.diffAnswers(c, pg, lite); diff != "" {
			return list + ": " + diff
		}
	}
	return ""
}
