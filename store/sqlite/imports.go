package sqlite

import (
	"context"

	"github.com/hal9-ai/hal9/model"
)

// ImportMany calls one query after the other: the prepared statement in a loop is
// the fastest way here.
func (t *tx) ImportMany(ctx context.Context, n int, one func(ctx context.Context, q model.Imports, i int) (int64, error)) ([]int64, error) {
	written := make([]int64, n)
	for i := range n {
		var err error
		if written[i], err = one(ctx, t, i); err != nil {
			return nil, err
		}
	}
	return written, nil
}
