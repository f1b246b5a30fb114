package model

import (
	"context"
	"time"
)

// QueryObserver is told of each query that a store runs, by its name: that of a method
// of Queries, SignalInsertMany, or TxQuery for a transaction as a whole. Its methods
// are called concurrently, on the way of every query.
type QueryObserver interface {
	// QueryBegin is called before the query waits for a connection. The query runs under
	// the context that it returns.
	QueryBegin(ctx context.Context, query string) context.Context
	// QueryEnd is called with that context when the query has been answered. took holds
	// the wait for a connection and, for a write outside a transaction, the commit. err
	// is nil, an *Error, or within TxQuery what its function returned.
	QueryEnd(ctx context.Context, query string, took time.Duration, err error)
}

// TxQuery is the name under which InTx is observed.
const TxQuery = "InTx"

// ObserveQuery runs fn and tells o of it. Without an observer, and for what has no
// name, it only runs fn.
func ObserveQuery(ctx context.Context, o QueryObserver, query string, fn func(ctx context.Context) error) error {
	if o == nil || query == "" {
		return fn(ctx)
	}
	begin := time.Now()
	ctx = o.QueryBegin(ctx, query)
	err := fn(ctx)
	o.QueryEnd(ctx, query, time.Since(begin), err)
	return err
}
