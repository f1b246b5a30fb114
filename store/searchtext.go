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

type analyzed struct{ model.Store }

func (a *analyzed) MemoryInsert(ctx context.Context, arg model.MemoryInsertParams) (model.Memory, error) {
	arg.SearchText = searchtext.Analyze(arg.Content)
	return a.Store.MemoryInsert(ctx, arg)
}

func (a *analyzed) MemoryImport(ctx context.Context, arg model.MemoryImportParams) (int64, error) {
	arg.SearchText = searchtext.Analyze(arg.Content)
	return a.Store.MemoryImport(ctx, arg)
}

func (a *analyzed) MemoryUpdate(ctx context.Context, arg model.MemoryUpdateParams) (model.Memory, error) {
	arg.SearchText = searchtext.Analyze(arg.Content)
	return a.Store.MemoryUpdate(ctx, arg)
}

func (a *analyzed) InTx(ctx context.Context, fn func(ctx context.Context, tx model.Tx) error) error {
	return a.Store.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
		return fn(ctx, &analyzedTx{Tx: tx})
	})
}

type analyzedTx struct{ model.Tx }

func (a *analyzedTx) MemoryInsert(ctx context.Context, arg model.MemoryInsertParams) (model.Memory, error) {
	arg.SearchText = searchtext.Analyze(arg.Content)
	return a.Tx.MemoryInsert(ctx, arg)
}

func (a *analyzedTx) MemoryImport(ctx context.Context, arg model.MemoryImportParams) (int64, error) {
	arg.SearchText = searchtext.Analyze(arg.Content)
	return a.Tx.MemoryImport(ctx, arg)
}

func (a *analyzedTx) MemoryUpdate(ctx context.Context, arg model.MemoryUpdateParams) (model.Memory, error) {
	arg.SearchText = searchtext.Analyze(arg.Content)
	return a.Tx.MemoryUpdate(ctx, arg)
}
