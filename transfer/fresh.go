package transfer

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
)

// presence is the judge of rows of which nothing but their ids can be in the way.
func presence[T any](stored func(ctx context.Context, q model.Queries, items []T) ([]bool, error)) func(context.Context, model.Queries, []T) ([]outcome, error) {
	return func(ctx context.Context, q model.Queries, items []T) ([]outcome, error) {
		outcomes := make([]outcome, len(items))
		if q == nil {
			return outcomes, nil
		}
		there, err := stored(ctx, q, items)
		if err != nil {
			return nil, err
		}
		for i := range there {
			if there[i] {
				outcomes[i].fate = present
			}
		}
		return outcomes, nil
	}
}

// importFresh stores the items that are still to be written, and notes those that
// turn out to be there.
func importFresh[T any](ctx context.Context, tx model.Tx, items []T, outcomes []outcome, one func(context.Context, model.Imports, T) (int64, error)) error {
	fresh := make([]int, 0, len(items))
	for i := range items {
		if outcomes[i].fate == written {
			fresh = append(fresh, i)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	stored, err := tx.ImportMany(ctx, len(fresh), func(ctx context.Context, q model.Imports, n int) (int64, error) {
		return one(ctx, q, items[fresh[n]])
	})
	if err != nil {
		return err
	}
	for n, rows := range stored {
		if rows == 0 {
			outcomes[fresh[n]].fate = present
		}
	}
	return nil
}

// storedByID tells which items have an id that list finds.
func storedByID[T any](items []T, id func(T) uuid.UUID, list func(ids model.JSON) ([]uuid.UUID, error)) ([]bool, error) {
	ids := make([]string, len(items))
	for i, item := range items {
		ids[i] = id(item).String()
	}
	found, err := list(jsonList(ids))
	if err != nil {
		return nil, err
	}
	stored := make(map[uuid.UUID]bool, len(found))
	for _, id := range found {
		stored[id] = true
	}
	there := make([]bool, len(items))
	for i, item := range items {
		there[i] = stored[id(item)]
	}
	return there, nil
}

// jsonList writes strings, which are valid UTF-8, as a JSON array.
func jsonList(list []string) model.JSON {
	if list == nil {
		list = []string{} // not null
	}
	b, err := json.Marshal(list)
	if err != nil {
		panic(fmt.Sprintf("write strings as JSON: %v", err)) // cannot be
	}
	return b
}
