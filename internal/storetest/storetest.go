// Package storetest is the conformance suite of model.Store: each method, each
// promise about how the engines' differences are levelled, on a fresh store for each
// subtest, so that order and leftovers hide no fault.
package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
)

// Opener returns a fresh, migrated store that is closed when the test ends.
type Opener func(t *testing.T) model.Store

// Run runs the whole suite, or only the tests that are named.
func Run(t *testing.T, open Opener, only ...string) {
	t.Helper()
	tests := []struct {
		name string
		fn   func(*testing.T, *bench)
	}{
		{"EveryQueryRuns", testEveryQueryRuns},
		{"VersionsGrow", testVersionsGrow},
		{"Neurons", testNeurons},
		{"NeuronStates", testNeuronStates},
		{"NeuronActivity", testNeuronActivity},
		{"NeuronAgain", testNeuronAgain},
		{"NeuronListPages", testNeuronListPages},
		{"Users", testUsers},
		{"Sessions", testSessions},
		{"RefreshTokens", testRefreshTokens},
		{"APIKeys", testAPIKeys},
		{"UserDeleteCascades", testUserDeleteCascades},
		{"Signals", testSignals},
		{"SignalListByIDs", testSignalListByIDs},
		{"SignalListAfter", testSignalListAfter},
		{"SignalListPages", testSignalListPages},
		{"SignalListByNeuron", testSignalListByNeuron},
		{"SignalReferences", testSignalReferences},
		{"SignalInsertMany", testSignalInsertMany},
		{"SignalInsertManyBadRows", testSignalInsertManyBadRows},
		{"SignalInsertManyCopied", testSignalInsertManyCopied},
		{"SignalPartitions", testSignalPartitions},
		{"Memories", testMemories},
		{"MemoryListPages", testMemoryListPages},
		{"MemorySearch", testMemorySearch},
		{"MemorySearchPhrases", testMemorySearchPhrases},
		{"MemorySearchBytes", testMemorySearchBytes},
		{"Metrics", testMetrics},
		{"Audit", testAudit},
		{"DatabaseEpoch", testDatabaseEpoch},
		{"UpkeepLease", testUpkeepLease},
		{"IdempotencyKeys", testIdempotencyKeys},
		{"IdempotencyKeyHeldAtItsExpiry", testIdempotencyKeyHeldAtItsExpiry},
		{"IfVersion", testIfVersion},
		{"Times", testTimes},
		{"TextOrder", testTextOrder},
		{"JSONValues", testJSONValues},
		{"RefusedArguments", testRefusedArguments},
		{"RefusedByTheSchema", testRefusedByTheSchema},
		{"InTxCommits", testInTxCommits},
		{"InTxRollsBack", testInTxRollsBack},
		{"InTxAfterAnError", testInTxAfterAnError},
		{"InTxRefusesTheStore", testInTxRefusesTheStore},
		{"InTxPanics", testInTxPanics},
		{"InTxBulk", testInTxBulk},
		{"CallersLeave", testCallersLeave},
		{"ConcurrentWriters", testConcurrentWriters},
		{"PoolStats", testPoolStats},
		{"Closed", testClosed},
	}
	known := make([]string, 0, len(tests))
	for _, tt := range tests {
		known = append(known, tt.name)
	}
	for _, name := range only {
		if !slices.Contains(known, name) {
			t.Errorf("there is no test %s", name)
		}
	}
	for _, tt := range tests {
		if len(only) > 0 && !slices.Contains(only, tt.name) {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.fn(t, newBench(t, open(t)))
		})
	}
}

// bench is a store under test with what every test needs.
type bench struct {
	model.Store
	ids *model.IDGenerator
	now time.Time
}

func newBench(t *testing.T, st model.Store) *bench {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Millisecond)
	return &bench{Store: st, ids: model.NewIDGenerator(time.Now), now: now}
}

func (b *bench) id() uuid.UUID { return b.ids.New() }

// must fails the test on an error and hands the value through.
func must[T any](t *testing.T) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatalf("unexpected error: %v (cause %v)", err, cause(err))
		}
		return v
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("unexpected error: %v (cause %v)", err, cause(err))
	}
}

func cause(err error) error {
	if own, ok := errors.AsType[*model.Error](err); ok {
		return own.Cause
	}
	return nil
}

// wantError demands an *Error of the given kind that names entity and field.
func wantError(t *testing.T, err error, kind error, entity, field string) {
	t.Helper()
	var own *model.Error
	if !errors.As(err, &own) {
		t.Fatalf("got error %v (%T), want a *model.Error of kind %v", err, err, kind)
	}
	if !errors.Is(err, kind) || own.Entity != entity || own.Field != field {
		t.Fatalf("got %v {entity %q field %q cause %v}, want kind %v entity %q field %q", own, own.Entity, own.Field, own.Cause, kind, entity, field)
	}
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

//go:fix inline

func ctxOf(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}
