package cacheutil

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fxamacker/cbor/v2"
	"github.com/valkey-io/valkey-go"
)

// newLenientCBOR is the cache's codec without its refusal of unknown fields. To the
// cache such a value is a miss, to the queue it would be lost.
func newLenientCBOR[T any]() Codec[T] {
	strict, _ := newCBOR[T]().(cborCodec[T])
	dec, err := cbor.DecOptions{}.DecMode()
	if err != nil {
		panic(err) // constant options that the library has accepted
	}
	return cborCodec[T]{enc: strict.enc, dec: dec}
}

// queued is one element of the stream.
type queued[T any] struct {
	id      string
	key     string
	version int64
	data    string
	value   T
	// gone tells that the stream no longer has it: only the group remembers it.
	gone bool
	// fault is set if it cannot be read; the other fields are what could be.
	fault error
}

// size is what the entry counts for MaxBytes.
func (e queued[T]) size() int64 { return int64(len(e.key) + len(e.data)) }

// readEntry reads an element of XREADGROUP's answer: id and fields. Only an answer
// of another shape is an error; what is wrong with the entry is its fault.
func (q *Queue[T]) readEntry(message valkey.ValkeyMessage) (queued[T], error) {
	parts, err := message.ToArray()
	if err != nil || len(parts) != 2 {
		return queued[T]{}, fmt.Errorf("an entry of %d parts: %w", len(parts), errors.Join(err, errUnexpected))
	}
	id, err := parts[0].ToString()
	if err != nil {
		return queued[T]{}, fmt.Errorf("an entry's id: %w", err)
	}
	if parts[1].IsNil() {
		return queued[T]{id: id, gone: true}, nil
	}
	fields, err := parts[1].AsStrMap()
	if err != nil {
		return queued[T]{}, fmt.Errorf("an entry's fields: %w", err)
	}
	e := queued[T]{id: id, key: fields["key"], data: fields["data"]}
	e.fault = q.readFields(&e, fields)
	return e, nil
}

// readFields reads version, epoch and value, and tells what is wrong with them.
func (q *Queue[T]) readFields(e *queued[T], fields map[string]string) (err error) {
	if e.version, err = strconv.ParseInt(fields["version"], 10, 64); err != nil {
		return fmt.Errorf("read the entry's version: %w", err)
	}
	if e.key == "" || e.version < 1 {
		return errors.New("the entry has no key or no version")
	}
	// A higher epoch is one that this process has yet to learn of.
	epoch, err := strconv.ParseInt(fields["epoch"], 10, 64)
	if err != nil {
		return fmt.Errorf("read the entry's epoch: %w", err)
	}
	if now := q.link.epoch(); epoch < now {
		return fmt.Errorf("the value was queued in epoch %d of the database, and this is %d: its version means nothing now", epoch, now)
	}
	if e.value, err = q.options.Codec.Decode([]byte(e.data)); err != nil {
		return fmt.Errorf("decode the value: %w", err)
	}
	return nil
}

// rivals are the entries of one key, the highest version first: the only one to be
// applied. Of two with the same version, the one queued later comes first.
type rivals[T any] []queued[T]

func byKey[T any](entries []queued[T]) []rivals[T] {
	var order []string
	keyed := make(map[string]rivals[T])
	for _, e := range entries {
		if keyed[e.key] == nil {
			order = append(order, e.key)
		}
		keyed[e.key] = append(keyed[e.key], e)
	}
	all := make([]rivals[T], 0, len(order))
	for _, key := range order {
		g := keyed[key]
		slices.SortStableFunc(g, func(a, b queued[T]) int {
			return cmp.Or(cmp.Compare(b.version, a.version), compareIDs(b.id, a.id))
		})
		all = append(all, g)
	}
	return all
}

// compareIDs orders the ids of a stream, "milliseconds-sequence".
func compareIDs(a, b string) int {
	read := func(id string) (uint64, uint64) {
		ms, sequence, _ := strings.Cut(id, "-")
		// Valkey makes these: what is no number is 0.
		m, _ := strconv.ParseUint(ms, 10, 64)
		s, _ := strconv.ParseUint(sequence, 10, 64)
		return m, s
	}
	am, as := read(a)
	bm, bs := read(b)
	return cmp.Or(cmp.Compare(am, bm), cmp.Compare(as, bs))
}
