package cacheutil

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/maypok86/otter/v2"
)

// maxGenerations bounds the groups whose generation is known in the process.
const maxGenerations = 10_000

// generationLength is that of a generation's name.
const generationLength = 16

// generation is the current one of a group. Its name is random: a group whose
// generation was forgotten never gets an old one again.
type generation struct {
	name  string
	epoch uint64
}

func newName() string { return rand.Text()[:generationLength] }

func newGenerations() (*otter.Cache[string, *generation], error) {
	groups, err := otter.New(&otter.Options[string, *generation]{MaximumSize: maxGenerations})
	if err != nil {
		return nil, fmt.Errorf("make the table of groups: %w", err)
	}
	return groups, nil
}

// GetInGroup is Get for an entry of a group: InvalidateGroup drops it together
// with all others of the group, whose keys need not be known.
func (c *Cache[T]) GetInGroup(ctx context.Context, group, key string, load func(context.Context) (T, error)) (T, error) {
	p := c.m.placeIn(ctx, group, key)
	var it *item[T]
	if !p.adrift {
		it, _ = c.lookup(p.key, p.generation)
	}
	it, err := c.get(ctx, p, it, load)
	return value(it, err)
}

// placeIn finds the place of an entry in a group.
func (m *Manager) placeIn(ctx context.Context, group, key string) place {
	g, ok := m.groups.GetIfPresent(group)
	if !ok || g.epoch != m.local.fences.epoch.Load() {
		g = m.findGeneration(ctx, group)
	}
	if g == nil {
		return place{key: key, adrift: true}
	}
	return place{key: key, generation: g.name}
}

// findGeneration returns nil when it cannot be known.
func (m *Manager) findGeneration(_ context.Context, group string) *generation {
	epoch := m.local.fences.epoch.Load()
	g, _ := m.groups.Compute(group, func(there *generation, found bool) (*generation, otter.ComputeOp) {
		if found && there.epoch == epoch {
			return nil, otter.CancelOp
		}
		return &generation{name: newName(), epoch: epoch}, otter.WriteOp
	})
	return g
}

// InvalidateGroup drops all entries of the groups. It fails and waits as
// Cache.Put does.
func (m *Manager) InvalidateGroup(_ context.Context, groups ...string) {
	for _, group := range groups {
		m.dropGroup(group)
	}
}

func (m *Manager) dropGroup(group string) {
	m.local.fences.move(group)
	m.groups.Invalidate(group)
}
