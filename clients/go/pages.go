package hal9

import (
	"context"
	"errors"
	"iter"

	"github.com/hal9-ai/hal9/clients/go/api"
)

// errNoPage is for an answer of success that holds no list.
var errNoPage = errors.New("hal9: the answer holds no list")

// All goes through a list page by page: fetch returns the page at a cursor, nil for the
// first one, and the next cursor, nil at the end. An error is yielded last.
func All[T any](fetch func(cursor *string) (page []T, next *string, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var cursor *string
		for {
			page, next, err := fetch(cursor)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range page {
				if !yield(item, nil) {
					return
				}
			}
			if next == nil {
				return
			}
			cursor = next
		}
	}
}

// Signals goes through the signals, the newest first.
// Limit in filter, which may be nil, is the size of one page; Cursor is where to begin.
func (c *Client) Signals(ctx context.Context, filter *api.SignalListParams) iter.Seq2[api.Signal, error] {
	var first api.SignalListParams
	if filter != nil {
		first = *filter
	}
	return All(func(cursor *string) ([]api.Signal, *string, error) {
		p := first
		if cursor != nil {
			p.Cursor = cursor
		}
		answer, err := c.SignalListWithResponse(ctx, &p)
		if err != nil {
			return nil, nil, err
		}
		if answer.JSON200 == nil {
			return nil, nil, errNoPage
		}
		return answer.JSON200.Data, answer.JSON200.NextCursor, nil
	})
}

// Neurons goes through the neurons, in order of their ids.
// Limit in filter, which may be nil, is the size of one page; Cursor is where to begin.
func (c *Client) Neurons(ctx context.Context, filter *api.NeuronListParams) iter.Seq2[api.Neuron, error] {
	var first api.NeuronListParams
	if filter != nil {
		first = *filter
	}
	return All(func(cursor *string) ([]api.Neuron, *string, error) {
		p := first
		if cursor != nil {
			p.Cursor = cursor
		}
		answer, err := c.NeuronListWithResponse(ctx, &p)
		if err != nil {
			return nil, nil, err
		}
		if answer.JSON200 == nil {
			return nil, nil, errNoPage
		}
		return answer.JSON200.Data, answer.JSON200.NextCursor, nil
	})
}

// Memories goes through the memories, the newest first.
// Limit in filter, which may be nil, is the size of one page; Cursor is where to begin.
func (c *Client) Memories(ctx context.Context, filter *api.MemoryListParams) iter.Seq2[api.Memory, error] {
	var first api.MemoryListParams
	if filter != nil {
		first = *filter
	}
	return All(func(cursor *string) ([]api.Memory, *string, error) {
		p := first
		if cursor != nil {
			p.Cursor = cursor
		}
		answer, err := c.MemoryListWithResponse(ctx, &p)
		if err != nil {
			return nil, nil, err
		}
		if answer.JSON200 == nil {
			return nil, nil, errNoPage
		}
		return answer.JSON200.Data, answer.JSON200.NextCursor, nil
	})
}

// Users goes through the users; for admins.
// Limit in filter, which may be nil, is the size of one page; Cursor is where to begin.
func (c *Client) Users(ctx context.Context, filter *api.UserListParams) iter.Seq2[api.Account, error] {
	var first api.UserListParams
	if filter != nil {
		first = *filter
	}
	return All(func(cursor *string) ([]api.Account, *string, error) {
		p := first
		if cursor != nil {
			p.Cursor = cursor
		}
		answer, err := c.UserListWithResponse(ctx, &p)
		if err != nil {
			return nil, nil, err
		}
		if answer.JSON200 == nil {
			return nil, nil, errNoPage
		}
		return answer.JSON200.Data, answer.JSON200.NextCursor, nil
	})
}

// Audit goes through the privileged acts, the newest first; for admins.
// Limit in filter, which may be nil, is the size of one page; Cursor is where to begin.
func (c *Client) Audit(ctx context.Context, filter *api.AuditListParams) iter.Seq2[api.AuditEntry, error] {
	var first api.AuditListParams
	if filter != nil {
		first = *filter
	}
	return All(func(cursor *string) ([]api.AuditEntry, *string, error) {
		p := first
		if cursor != nil {
			p.Cursor = cursor
		}
		answer, err := c.AuditListWithResponse(ctx, &p)
		if err != nil {
			return nil, nil, err
		}
		if answer.JSON200 == nil {
			return nil, nil, errNoPage
		}
		return answer.JSON200.Data, answer.JSON200.NextCursor, nil
	})
}
