package model

import (
	"context"
	"time"
)

// Store is everything that the service asks of a database, whichever engine it is.
// All methods are safe for concurrent use. Errors are *Error; a write that returned
// nil is committed. Times are UTC, cut to microseconds.
type Store interface {
	Queries
	SignalBulk
	SignalPartitions

	// InTx runs fn in one transaction and commits it when fn returns nil. fn must
	// use the context and the Tx that it is given: calling the store itself with
	// that context is refused with ErrInTx. fn runs once; nothing is retried. Its
	// error comes back as it is.
	InTx(ctx context.Context, fn func(ctx context.Context, tx Tx) error) error

	// Engine is "postgres" or "sqlite".
	Engine() string
	// Ping asks the engine for one answer.
	Ping(ctx context.Context) error
	// PoolStats tells how the connections are used at this moment.
	PoolStats() PoolStats
	// SchemaVersion tells how far the database has been migrated.
	SchemaVersion(ctx context.Context) (SchemaVersion, error)
	// Close waits for calls under way, then lets go of all connections.
	Close() error
}

// Tx is a transaction under way. It is not safe for concurrent use.
type Tx interface {
	Queries
	SignalBulk
	ImportBulk
}

// SignalBulk inserts many signals by the engine's best way.
type SignalBulk interface {
	// SignalInsertMany stores signals. Duplicates are passed over; a bad row is
	// reported by its index and takes no other along. The error tells that the rows
	// could not be tried: then none of them is stored.
	SignalInsertMany(ctx context.Context, signals []SignalInsertParams) (BulkResult, error)
}

// BulkResult tells what became of each row of a bulk insert.
type BulkResult struct {
	// Inserted counts the rows that were written.
	Inserted int
	// Duplicates are the indexes of the rows whose id was stored already, or earlier
	// in the same call, in ascending order.
	Duplicates []int
	// Failed are the rows that cannot be stored, in ascending order of Index.
	Failed []RowError
}

// RowError is one bad row of a bulk insert.
type RowError struct {
	Index int
	Err   error // an *Error of kind ErrInvalid
}

// SignalPartitions manages the months of the signals. On SQLite, which has no
// partitions, months are what the timestamps say and dropping deletes in chunks.
type SignalPartitions interface {
	// SignalPartitionEnsure makes the partition of the month that holds the moment;
	// false says that there is one, or that the engine needs none.
	SignalPartitionEnsure(ctx context.Context, moment time.Time) (made bool, err error)
	// SignalPartitionList returns the months in order, the default partition last.
	SignalPartitionList(ctx context.Context) ([]SignalPartition, error)
	// SignalPartitionDrop drops the months that end at or before the given moment,
	// and returns them.
	SignalPartitionDrop(ctx context.Context, before time.Time) ([]SignalPartition, error)
	// SignalPartitionDefaultMonths returns the months whose signals lie in the default
	// partition because none of their own is there, in order, each with its count of
	// signals, which goes no further than most. On SQLite there are none.
	SignalPartitionDefaultMonths(ctx context.Context, most int64) ([]SignalMonth, error)
	// SignalPartitionDetach takes the partition of the month that holds the moment out of
	// the signals, and keeps its table: its signals are found no longer, and none is lost.
	// The month must be over. ErrNotFound says that it has no partition. On SQLite it is
	// ErrInvalid. It needs a role that owns the tables.
	SignalPartitionDetach(ctx context.Context, month time.Time) (SignalPartition, error)
	// SignalPartitionAttach brings a month back that was detached, and into it the signals
	// of that month that were stored since. ErrNotFound says that it is not detached. On SQLite it is ErrInvalid. It needs a role that owns the tables.
	SignalPartitionAttach(ctx context.Context, month time.Time) (SignalAttached, error)
	// SignalPartitionDetachedList returns the months that are detached, in order.
	SignalPartitionDetachedList(ctx context.Context) ([]SignalPartition, error)
}

// SignalMonth is a month of signals that has no partition.
type SignalMonth struct {
	Start time.Time
	End   time.Time // exclusive
	Rows  int64
}

// SignalPartition is one month of signals.
type SignalPartition struct {
	Name      string
	Start     time.Time // zero for the default partition
	End       time.Time // exclusive; zero for the default partition
	IsDefault bool
	Rows      int64 // PostgreSQL's estimate, -1 when it has none; exact on SQLite
	Bytes     int64 // with indexes, -1 on SQLite, which has no partitions
}

// SignalAttached is a month that was brought back.
type SignalAttached struct {
	SignalPartition

	Moved int64 // signals of the month that had been stored since it was detached
}

// PoolStats tells how connections are used.
type PoolStats struct {
	Max     int // connections that may be open
	InUse   int // lent to a call
	Idle    int // open and free
	Waiting int // calls that wait for a connection
	Waits   int64
	// WaitTime is the sum of all waiting since the store was opened.
	WaitTime time.Duration
	// Writer tells of the one connection that writes, on SQLite; nil elsewhere.
	Writer *WriterStats
}

// WriterStats tells how the one connection that writes is used.
type WriterStats struct {
	Waiting int   // writes and transactions that wait for their turn
	Busy    bool  // it writes, or is lent to a transaction
	Commits int64 // since the store was opened
	Writes  int64 // that were committed by them; those of InTx are not counted
}

// SchemaVersion tells how far a database has been migrated.
type SchemaVersion struct {
	Applied int64 // the newest migration that has run
	Latest  int64 // the newest one that this program knows
}
