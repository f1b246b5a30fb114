package cacheutil

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrNotFound is what a negative entry answers with unless
// Options.NotFoundError names another error.
var ErrNotFound = errors.New("not found")

// ErrHardTimeout tells that a load took longer than Options.HardTimeout and no
// older value could be served. It wraps context.DeadlineExceeded.
var ErrHardTimeout = fmt.Errorf("the load passed its hard limit: %w", context.DeadlineExceeded)

// Strategy tells what Put does.
type Strategy uint8

// The strategies. Write-behind is a Queue's.
const (
	// CacheAside drops the entry: the next reader loads it.
	CacheAside Strategy = iota
	// WriteThrough stores the written value, unless a newer one is there.
	WriteThrough
)

// Defaults of Options.
const (
	DefaultTTL         = 5 * time.Minute
	DefaultHardTimeout = 30 * time.Second
	DefaultMaxBytes    = 1 << 20
)

// Options describes one cache.
type Options[T any] struct {
	// Name is the kind of value, for example "user": the label of the metrics.
	Name string

	// TTL is how long a value is fresh, give or take 10 % so that values stored
	// together do not expire together.
	TTL time.Duration
	// NegativeTTL is how long a load's "not found" is kept. 0: it is not.
	NegativeTTL time.Duration
	// MaxStale is how long past its TTL a value may still be served when the load
	// fails or is slow. 0: never.
	MaxStale time.Duration

	// Strategy tells what Put does.
	Strategy Strategy

	// SoftTimeout is how long a caller waits for a load when a stale value could
	// be served instead; the load goes on. 0: it waits as long as without one.
	SoftTimeout time.Duration
	// HardTimeout ends every load.
	HardTimeout time.Duration
	// LeaseTTL is how long one process keeps the others from loading a key: the
	// delay when it dies meanwhile. A load that takes longer is no longer alone.
	LeaseTTL time.Duration
	// RefreshAhead is the share of the TTL, between 0 and 1, after which one
	// caller has the value loaded again in the background. 0: never.
	RefreshAhead float64

	// Codec makes bytes of values. Default: CBOR.
	Codec Codec[T]
	// Version returns the version of a value: of the values that a key ever has,
	// a newer one has a higher version, even after a delete in between.
	// nil: values have none, and Put drops the entry.
	Version func(T) int64
	// NotFound tells which errors of a load are kept as negative entries.
	// Default: those that are NotFoundError.
	NotFound func(error) bool
	// NotFoundError is what a negative entry answers with. Default: ErrNotFound.
	NotFoundError error
	// Size estimates the bytes that a value takes in memory. Default: twice its
	// encoded length. Without Valkey values are encoded for nothing else.
	Size func(T) int
	// MaxBytes is the longest encoding that is kept; a longer value is loaded
	// each time.
	MaxBytes int
}

func (o Options[T]) withDefaults() Options[T] {
	setDefault(&o.TTL, DefaultTTL)
	setDefault(&o.HardTimeout, DefaultHardTimeout)
	setDefault(&o.LeaseTTL, DefaultLeaseTTL)
	setDefault(&o.MaxBytes, DefaultMaxBytes)
	if o.Codec == nil {
		o.Codec = newCBOR[T]()
	}
	o.Codec = guardedCodec[T]{o.Codec}
	if o.NotFoundError == nil {
		o.NotFoundError = ErrNotFound
	}
	if o.NotFound == nil {
		missing := o.NotFoundError
		o.NotFound = func(err error) bool { return errors.Is(err, missing) }
	}
	return o
}

func (o Options[T]) validate() error {
	var errs []error
	if o.Name == "" {
		errs = append(errs, errors.New("it has no name"))
	}
	if o.Strategy > WriteThrough {
		errs = append(errs, fmt.Errorf("there is no strategy %d", o.Strategy))
	}
	if o.RefreshAhead < 0 || o.RefreshAhead >= 1 {
		errs = append(errs, fmt.Errorf("RefreshAhead is %v, not a share of the TTL", o.RefreshAhead))
	}
	if o.MaxBytes < 0 {
		errs = append(errs, errors.New("MaxBytes is negative"))
	}
	for _, setting := range []struct {
		name  string
		value time.Duration
	}{
		{"TTL", o.TTL},
		{"NegativeTTL", o.NegativeTTL},
		{"MaxStale", o.MaxStale},
		{"SoftTimeout", o.SoftTimeout},
		{"HardTimeout", o.HardTimeout},
		{"LeaseTTL", o.LeaseTTL},
	} {
		if setting.value < 0 {
			errs = append(errs, fmt.Errorf("%s is negative", setting.name))
		}
	}
	return errors.Join(errs...)
}
