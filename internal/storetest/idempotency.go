package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/model"
)

// testIdempotencyKeys walks a key through its life: claimed, refused to others, let
// go, taken over, finished, expired.
func testIdempotencyKeys(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	key := must[model.IdempotencyKey](t)
	rows := must[int64](t)
	claim := func(id, fingerprint string, at time.Time) model.IdempotencyKeyClaimParams {
		return model.IdempotencyKeyClaimParams{
			ID: id, Fingerprint: fingerprint, Holder: b.id(),
			CreatedAt: at, LockedUntil: at.Add(time.Minute), ExpiresAt: at.Add(time.Hour),
		}
	}
	refused := func(what string, arg model.IdempotencyKeyClaimParams) {
		t.Helper()
		if _, err := b.IdempotencyKeyClaim(ctx, arg); !errors.Is(err, model.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	first := key(b.IdempotencyKeyClaim(ctx, claim("k", "f", b.now)))
	equal(t, "the first seed", first.Seed, first.Holder)
	refused("while it is held", claim("k", "f", b.now.Add(59*time.Second)))
	refused("another request", claim("k", "other", b.now.Add(2*time.Minute)))

	second := key(b.IdempotencyKeyClaim(ctx, claim("k", "f", b.now.Add(time.Minute))))
	equal(t, "the seed stays", second.Seed, first.Seed)
	equal(t, "the holder is new", second.Holder != first.Holder, true)
	equal(t, "the time of expiry stays", second.ExpiresAt, first.ExpiresAt)
	finish := model.IdempotencyKeyFinishParams{ID: "k", Holder: first.Holder, Status: new(int64(201)), Headers: model.JSON(`{"Location":"/x"}`), Body: []byte("answer")}
	equal(t, "finished by who lost it", rows(b.IdempotencyKeyFinish(ctx, finish)), 0)
	equal(t, "released by who lost it", rows(b.IdempotencyKeyRelease(ctx, model.IdempotencyKeyReleaseParams{ID: "k", Holder: first.Holder, LockedUntil: b.now})), 0)
	equal(t, "deleted by who lost it", rows(b.IdempotencyKeyDelete(ctx, model.IdempotencyKeyDeleteParams{ID: "k", Holder: first.Holder})), 0)

	equal(t, "released", rows(b.IdempotencyKeyRelease(ctx, model.IdempotencyKeyReleaseParams{ID: "k", Holder: second.Holder, LockedUntil: b.now})), 1)
	third := key(b.IdempotencyKeyClaim(ctx, claim("k", "f", b.now)))
	finish.Holder = third.Holder
	equal(t, "finished", rows(b.IdempotencyKeyFinish(ctx, finish)), 1)
	equal(t, "finished twice", rows(b.IdempotencyKeyFinish(ctx, finish)), 0)
	refused("a done one", claim("k", "f", b.now.Add(30*time.Minute)))
	done := key(b.IdempotencyKeyGet(ctx, model.IdempotencyKeyGetParams{ID: "k"}))
	equal(t, "the status", *done.Status, 201)
	equal(t, "the body", string(done.Body), "answer")

	fourth := key(b.IdempotencyKeyClaim(ctx, claim("k", "other", b.now.Add(time.Hour))))
	equal(t, "a new seed after expiry", fourth.Seed, fourth.Holder)
	if fourth.Status != nil || fourth.Body != nil {
		t.Errorf("the answer outlived its key: %v %q", fourth.Status, fourth.Body)
	}
	equal(t, "deleted", rows(b.IdempotencyKeyDelete(ctx, model.IdempotencyKeyDeleteParams{ID: "k", Holder: fourth.Holder})), 1)

	for i := range 5 {
		key(b.IdempotencyKeyClaim(ctx, claim(string(rune('a'+i)), "f", b.now.Add(time.Duration(i)*time.Minute))))
	}
	expired := model.IdempotencyKeyDeleteExpiredParams{ExpiredBefore: b.now.Add(time.Hour + 4*time.Minute), PageLimit: 3}
	equal(t, "the first expired", rows(b.IdempotencyKeyDeleteExpired(ctx, expired)), 3)
	equal(t, "the other expired", rows(b.IdempotencyKeyDeleteExpired(ctx, expired)), 1)
	equal(t, "no more", rows(b.IdempotencyKeyDeleteExpired(ctx, expired)), 0)
	key(b.IdempotencyKeyGet(ctx, model.IdempotencyKeyGetParams{ID: "e"}))
}

// testIdempotencyKeyHeldAtItsExpiry: a key that expires while somebody works on its request is
// his until he is done or his time is over.
func testIdempotencyKeyHeldAtItsExpiry(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	key := must[model.IdempotencyKey](t)
	rows := must[int64](t)
	expiry := b.now.Add(time.Hour)
	claim := func(fingerprint string, at time.Time) model.IdempotencyKeyClaimParams {
		return model.IdempotencyKeyClaimParams{
			ID: "k", Fingerprint: fingerprint, Holder: b.id(),
			CreatedAt: at, LockedUntil: at.Add(time.Minute), ExpiresAt: at.Add(time.Hour),
		}
	}
	first := key(b.IdempotencyKeyClaim(ctx, claim("f", b.now)))
	again := key(b.IdempotencyKeyClaim(ctx, claim("f", expiry.Add(-30*time.Second))))
	equal(t, "the seed of the second try", again.Seed, first.Seed)
	for _, fingerprint := range []string{"f", "other"} {
		if _, err := b.IdempotencyKeyClaim(ctx, claim(fingerprint, expiry.Add(29*time.Second))); !errors.Is(err, model.ErrNotFound) {
			t.Errorf("taken from who works on it: %v", err)
		}
	}
	equal(t, "forgotten while it is held", rows(b.IdempotencyKeyDeleteExpired(ctx, model.IdempotencyKeyDeleteExpiredParams{
		ExpiredBefore: expiry.Add(29 * time.Second), PageLimit: 10,
	})), 0)
	fresh := key(b.IdempotencyKeyClaim(ctx, claim("other", expiry.Add(30*time.Second))))
	equal(t, "a new seed after expiry", fresh.Seed, fresh.Holder)
}

// testIfVersion holds writes with a condition to the version that they name.
func testIfVersion(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	n := must[model.Neuron](t)
	m := must[model.Memory](t)
	rows := must[int64](t)
	neuron := n(b.NeuronInsert(ctx, b.neuron("a")))
	memory := m(b.MemoryInsert(ctx, b.memory("a", "text")))
	stale := new(neuron.Version - 1)
	notFound := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, model.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	update := model.NeuronUpdateParams{ID: "a", Layer: "L2", Settings: model.EmptyObject(), UpdatedAt: b.now, IfVersion: stale}
	_, err := b.NeuronUpdate(ctx, update)
	notFound("NeuronUpdate", err)
	state := model.NeuronSetStateParams{ID: "a", State: "busy", Condition: model.ConditionRunning, UpdatedAt: b.now, IfVersion: stale}
	_, err = b.NeuronSetState(ctx, state)
	notFound("NeuronSetState", err)
	_, err = b.NeuronDelete(ctx, model.NeuronDeleteParams{ID: "a", IfVersion: stale})
	notFound("NeuronDelete", err)
	change := model.MemoryUpdateParams{ID: memory.ID, NeuronID: "a", Content: "other", Context: model.EmptyObject(), Metadata: model.EmptyObject(), UpdatedAt: b.now, IfVersion: stale}
	_, err = b.MemoryUpdate(ctx, change)
	notFound("MemoryUpdate", err)
	equal(t, "MemoryDelete", rows(b.MemoryDelete(ctx, model.MemoryDeleteParams{ID: memory.ID, IfVersion: stale})), 0)

	update.IfVersion = &neuron.Version
	updated := n(b.NeuronUpdate(ctx, update))
	equal(t, "the state stays", updated.State, neuron.State)
	if updated.Version <= memory.Version || updated.Layer != "L2" {
		t.Errorf("updated to %+v", updated)
	}
	update.IfVersion = nil
	updated = n(b.NeuronUpdate(ctx, update))
	state.IfVersion = &updated.Version
	updated = n(b.NeuronSetState(ctx, state))
	change.IfVersion = &memory.Version
	memory = m(b.MemoryUpdate(ctx, change))
	_, err = b.NeuronDelete(ctx, model.NeuronDeleteParams{ID: "a", IfVersion: &updated.Version})
	ok(t, err)
	equal(t, "MemoryDelete", rows(b.MemoryDelete(ctx, model.MemoryDeleteParams{ID: memory.ID, IfVersion: &memory.Version})), 1)
}
