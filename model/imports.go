package model

import "context"

// Imports are the queries that store rows which another database held. Each returns
// the number of rows written: 0 says that the id is there already.
type Imports interface {
	UserImport(ctx context.Context, arg UserImportParams) (int64, error)
	APIKeyImport(ctx context.Context, arg APIKeyImportParams) (int64, error)
	SessionImport(ctx context.Context, arg SessionImportParams) (int64, error)
	NeuronImport(ctx context.Context, arg NeuronImportParams) (int64, error)
	MemoryImport(ctx context.Context, arg MemoryImportParams) (int64, error)
	MetricImport(ctx context.Context, arg MetricImportParams) (int64, error)
	AuditImport(ctx context.Context, arg AuditImportParams) (int64, error)
	LegacyDetailImport(ctx context.Context, arg LegacyDetailImportParams) (int64, error)
}

// ImportBulk stores many rows that another database held.
type ImportBulk interface {
	// ImportMany calls one for each index from 0 to n-1, which calls one query of q
	// and returns what that returned. It returns how many rows each query wrote. Where
	// the engine is asked over a network, all queries go in one round trip, and what q
	// returns to one means nothing. After an error the transaction is of no use.
	ImportMany(ctx context.Context, n int, one func(ctx context.Context, q Imports, i int) (int64, error)) ([]int64, error)
}
