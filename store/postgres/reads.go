package postgres

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hal9-ai/hal9/gen/pgdb"
	"github.com/hal9-ai/hal9/model"
)

const (
	// readers is how many statements of one kind look up at the same time.
	readers = 2
	// maxLookUps bounds how many callers one statement serves.
	maxLookUps = 100
	// lookUpPatience is how long a statement is waited for before another takes its place:
	// its connection may have broken without a word, and not all are to wait for that.
	lookUpPatience = time.Second
)

// lookUps puts look-ups of concurrent callers into one statement: the engine's time for
// a look-up by key goes into the statement around it. As with the ingest's group commit a
// caller waits for nobody as long as fewer than readers are at work; the others gather
// while those are, and there is no timer to tune.
type lookUps[K, V any] struct {
	// one serves a lone caller.
	one func(ctx context.Context, key K) (V, error)
	// many serves several at once, each in its place.
	many func(ctx context.Context, keys []K) ([]V, error)

	mu      sync.Mutex
	queue   []*lookUp[K, V]
	working []*reader
}

type lookUp[K, V any] struct {
	key   K
	value V
	err   error
	done  chan struct{}
}

// reader is a statement at work.
type reader struct{ began time.Time }

// get looks one key up. A caller that leaves early leaves its look-up to the others.
func (l *lookUps[K, V]) get(ctx context.Context, entity string, key K) (V, error) {
	l.mu.Lock()
	if own := l.join(); own != nil {
		l.mu.Unlock()
		defer l.leave(own)
		return l.one(ctx, key)
	}
	mine := &lookUp[K, V]{key: key, done: make(chan struct{})}
	l.queue = append(l.queue, mine)
	l.mu.Unlock()
	select {
	case <-mine.done:
		return mine.value, mine.err
	case <-ctx.Done():
		var none V
		return none, translate(entity, fmt.Errorf("wait for a look-up: %w", ctx.Err()))
	}
}

// join begins a statement, nil if there are enough. mu is held.
func (l *lookUps[K, V]) join() *reader {
	own := &reader{time.Now()}
	busy := 0
	for _, other := range l.working {
		if own.began.Sub(other.began) < lookUpPatience {
			busy++
		}
	}
	if busy >= readers {
		return nil
	}
	l.working = append(l.working, own)
	return own
}

// leave ends a caller's work, which a goroutine takes over while somebody waits.
func (l *lookUps[K, V]) leave(own *reader) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end(own)
	if len(l.queue) == 0 {
		return
	}
	if next := l.join(); next != nil {
		go l.work(next)
	}
}

func (l *lookUps[K, V]) end(own *reader) {
	l.working = slices.DeleteFunc(l.working, func(other *reader) bool { return other == own })
}

// work serves who waits until nobody does. Each statement is bounded in time.
func (l *lookUps[K, V]) work(own *reader) {
	for batch := l.take(own); len(batch) > 0; batch = l.take(own) {
		keys := make([]K, len(batch))
		for i, b := range batch {
			keys[i] = b.key
		}
		values, err := l.many(context.Background(), keys)
		for i, b := range batch {
			if b.err = err; err == nil {
				b.value = values[i]
			}
			close(b.done)
		}
	}
}

// take claims those who waited longest; none means that the work is over.
func (l *lookUps[K, V]) take(own *reader) []*lookUp[K, V] {
	l.mu.Lock()
	defer l.mu.Unlock()
	own.began = time.Now()
	n := min(len(l.queue), maxLookUps)
	batch := append([]*lookUp[K, V](nil), l.queue[:n]...)
	rest := copy(l.queue, l.queue[n:])
	clear(l.queue[rest:])
	l.queue = l.queue[:rest]
	if n == 0 {
		l.end(own)
	}
	return batch
}

// reads are the look-ups that many ask for at once.
type reads struct {
	signals    lookUps[model.SignalGetParams, *model.Signal] // nil: not found
	references lookUps[model.SignalListByReferenceParams, []model.Signal]
	memories   lookUps[model.MemoryListByReferenceParams, []model.Memory]
}

func newReads(s *Store) *reads {
	r := &reads{}
	r.signals.one, r.signals.many = s.signalInMonth, s.signalsByKeys
	r.references.one, r.references.many = s.Store.SignalListByReference, s.signalsByReferences
	r.memories.one, r.memories.many = s.Store.MemoryListByReference, s.memoriesByReferences
	return r
}

// SignalGet answers model.Queries.
func (s *Store) SignalGet(ctx context.Context, arg model.SignalGetParams) (model.Signal, error) {
	const query = "SignalGet"
	if insideTx(ctx, s) {
		return model.Signal{}, &model.Error{Kind: model.ErrInTx, Entity: model.EntityOf(query)}
	}
	if err := arg.Normalize(); err != nil {
		return model.Signal{}, err
	}
	row, err := s.reads.signals.get(ctx, query, arg)
	switch {
	case err != nil:
		return model.Signal{}, err
	case row == nil:
		return model.Signal{}, &model.Error{Kind: model.ErrNotFound, Entity: model.EntityOf(query)}
	}
	return *row, nil
}

// SignalListByReference answers model.Queries.
func (s *Store) SignalListByReference(ctx context.Context, arg model.SignalListByReferenceParams) ([]model.Signal, error) {
	const query = "SignalListByReference"
	if err := arg.Normalize(); err != nil {
		return nil, err
	}
	if insideTx(ctx, s) {
		return nil, &model.Error{Kind: model.ErrInTx, Entity: model.EntityOf(query)}
	}
	return s.reads.references.get(ctx, query, arg)
}

// MemoryListByReference answers model.Queries.
func (s *Store) MemoryListByReference(ctx context.Context, arg model.MemoryListByReferenceParams) ([]model.Memory, error) {
	const query = "MemoryListByReference"
	if insideTx(ctx, s) {
		return nil, &model.Error{Kind: model.ErrInTx, Entity: model.EntityOf(query)}
	}
	return s.reads.memories.get(ctx, query, arg)
}

// signalInMonth is SignalGet by a statement for the signal's month.
func (s *Store) signalInMonth(ctx context.Context, arg model.SignalGetParams) (*model.Signal, error) {
	condition := ""
	if !s.cfg.Pooled { // behind a pooler each call is planned by itself, for its own month
		condition = monthCondition(time.Now(), arg.Timestamp)
	}
	var row pgdb.Signal
	err := s.read(ctx, "SignalGet", func(ctx context.Context, conn *pgxpool.Conn) (err error) {
		row, err = pgdb.New(inMonth{conn, condition}).SignalGet(ctx, pgdb.SignalGetParams(arg))
		return err
	})
	if err != nil {
		return nil, err
	}
	signal := model.Signal(row)
	return &signal, nil
}

func (s *Store) signalsByKeys(ctx context.Context, keys []model.SignalGetParams) ([]*model.Signal, error) {
	type key struct {
		id    uuid.UUID
		micro int64
	}
	arg := pgdb.SignalListByKeysParams{Ids: make([]uuid.UUID, len(keys)), Timestamps: make([]time.Time, len(keys))}
	for i, k := range keys {
		arg.Ids[i], arg.Timestamps[i] = k.ID, k.Timestamp
	}
	found := make(map[key]*model.Signal, len(keys))
	err := s.Read(ctx, "SignalGet", func(ctx context.Context, q *pgdb.Queries) error {
		rows, err := q.SignalListByKeys(ctx, arg)
		for i := range rows {
			row := model.Signal(rows[i])
			found[key{row.ID, row.Timestamp.UnixMicro()}] = &row
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	values := make([]*model.Signal, len(keys))
	for i, k := range keys {
		values[i] = found[key{k.ID, k.Timestamp.UnixMicro()}]
	}
	return values, nil
}

func (s *Store) signalsByReferences(ctx context.Context, keys []model.SignalListByReferenceParams) ([][]model.Signal, error) {
	arg := pgdb.SignalListByReferencesParams{WantedReferences: make([]uuid.UUID, len(keys)), Sinces: make([]time.Time, len(keys)), Places: make([]int64, len(keys))}
	for i, k := range keys {
		arg.WantedReferences[i], arg.Sinces[i], arg.Places[i], arg.PageLimit = k.Reference, k.Since, int64(i), max(arg.PageLimit, k.PageLimit)
	}
	found := make([][]model.Signal, len(keys))
	err := s.Read(ctx, "SignalListByReference", func(ctx context.Context, q *pgdb.Queries) error {
		rows, err := q.SignalListByReferences(ctx, arg)
		for _, r := range rows {
			if i := int(r.Place); int64(len(found[i])) < keys[i].PageLimit {
				found[i] = append(found[i], model.Signal{
					ID: r.ID, FromNeuron: r.FromNeuron, ToNeuron: r.ToNeuron, LayerFrom: r.LayerFrom, LayerTo: r.LayerTo,
					PropagationType: r.PropagationType, Content: r.Content, Metadata: r.Metadata, Timestamp: r.Timestamp,
				})
			}
		}
		return err
	})
	return found, err
}

func (s *Store) memoriesByReferences(ctx context.Context, keys []model.MemoryListByReferenceParams) ([][]model.Memory, error) {
	arg := pgdb.MemoryListByReferencesParams{WantedReferences: make([]uuid.UUID, len(keys)), Places: make([]int64, len(keys))}
	for i, k := range keys {
		arg.WantedReferences[i], arg.Places[i], arg.PageLimit = k.Reference, int64(i), max(arg.PageLimit, k.PageLimit)
	}
	found := make([][]model.Memory, len(keys))
	err := s.Read(ctx, "MemoryListByReference", func(ctx context.Context, q *pgdb.Queries) error {
		rows, err := q.MemoryListByReferences(ctx, arg)
		for _, r := range rows {
			if i := int(r.Place); int64(len(found[i])) < keys[i].PageLimit {
				found[i] = append(found[i], model.Memory{
					ID: r.ID, NeuronID: r.NeuronID, Layer: r.Layer, EntryType: r.EntryType, Content: r.Content,
					Importance: r.Importance, Context: r.Context, Metadata: r.Metadata, Embedding: r.Embedding, AccessCount: r.AccessCount,
					LastAccessed: r.LastAccessed, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt, Version: r.Version,
				})
			}
		}
		return err
	})
	return found, err
}
