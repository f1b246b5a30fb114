package store

import (
	"context"

	"github.com/hal9-ai/hal9/internal/searchtext"
	"github.com/hal9-ai/hal9/model"
)

// withSearchText fills in what the search engines index. It stands here and not in
// the handlers, so that no writer of memories can forget it: whatever a caller puts
// into SearchText is replaced.
func withSearchText(st model.Store) model.Store { return &analyzed{Store: st} }

// complete computes the search text. An empty embedding is none: SQLite's driver
// cannot tell the two apart.
func complete(content string, searchText *string, embedding *[]byte) {
	*searchText = searchtext.Analyze(content)
	if len(*embedding) == 0 {
		*embedding = nil
	}
}

type analyzed struct {
	model.Store

	positions *Consistency // nil: there are no replicas, or a cache around it knows them
}

func (a *analyzed) consistency() *Consistency { return a.positions }

func (a *analyzed) MemoryInsert(ctx context.Context, arg model.MemoryInsertParams) (model.Memory, error) {
	complete(arg.Content, &arg.SearchText, &arg.Embedding)
	return a.Store.MemoryInsert(ctx, arg)
}

func (a *analyzed) MemoryImport(ctx context.Context, arg model.MemoryImportParams) (int64, error) {
	complete(arg.Content, &arg.SearchText, &arg.Embedding)
	return a.Store.MemoryImport(ctx, arg)
}

func (a *analyzed) MemoryUpdate(ctx context.Context, arg model.MemoryUpdateParams) (model.Memory, error) {
	complete(arg.Content, &arg.SearchText, &arg.Embedding)
	return a.Store.MemoryUpdate(ctx, arg)
}

// MemorySearch finds nothing when nothing is asked for, a query without words: FTS5
// calls that a syntax error.
func (a *analyzed) MemorySearch(ctx context.Context, arg model.MemorySearchParams) ([]model.MemorySearchRow, error) {
	if arg.Match == "" {
		return []model.MemorySearchRow{}, arg.Normalize()
	}
	return a.Store.MemorySearch(ctx, arg)
}

func (a *analyzed) InTx(ctx context.Context, fn func(ctx context.Context, tx model.Tx) error) error {
	return a.Store.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
		return fn(ctx, &analyzedTx{Tx: tx})
	})
}

type analyzedTx struct{ model.Tx }

func (a *analyzedTx) MemoryInsert(ctx context.Context, arg model.MemoryInsertParams) (model.Memory, error) {
	complete(arg.Content, &arg.SearchText, &arg.Embedding)
	return a.Tx.MemoryInsert(ctx, arg)
}

func (a *analyzedTx) MemoryImport(ctx context.Context, arg model.MemoryImportParams) (int64, error) {
	complete(arg.Content, &arg.SearchText, &arg.Embedding)
	return a.Tx.MemoryImport(ctx, arg)
}

func (a *analyzedTx) MemoryUpdate(ctx context.Context, arg model.MemoryUpdateParams) (model.Memory, error) {
	complete(arg.Content, &arg.SearchText, &arg.Embedding)
	return a.Tx.MemoryUpdate(ctx, arg)
}

func (a *analyzedTx) MemorySearch(ctx context.Context, arg model.MemorySearchParams) ([]model.MemorySearchRow, error) {
	if arg.Match == "" {
		return []model.MemorySearchRow{}, arg.Normalize()
	}
	return a.Tx.MemorySearch(ctx, arg)
}

func (a *analyzedTx) ImportMany(ctx context.Context, n int, one func(ctx context.Context, q model.Imports, i int) (int64, error)) ([]int64, error) {
	return a.Tx.ImportMany(ctx, n, func(ctx context.Context, q model.Imports, i int) (int64, error) {
		return one(ctx, analyzedImports{q}, i)
	})
}

type analyzedImports struct{ model.Imports }

func (a analyzedImports) MemoryImport(ctx context.Context, arg model.MemoryImportParams) (int64, error) {
	complete(arg.Content, &arg.SearchText, &arg.Embedding)
	return a.Imports.MemoryImport(ctx, arg)
}
