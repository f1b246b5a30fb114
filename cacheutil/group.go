package cacheutil

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"

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

// newName returns a name that was not there before. It is no secret.
func newName() string {
	var random [generationLength / 2]byte
	binary.BigEndian.PutUint64(random[:], rand.Uint64()) //nolint:gosec // see above
	return hex.EncodeToString(random[:])
}

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
	if c.m.cfg.Observer != nil {
		return c.observed(ctx, func(ctx context.Context) (T, error) { return c.readInGroup(ctx, group, key, load) })
	}
	return c.readInGroup(ctx, group, key, load)
}

func (c *Cache[T]) readInGroup(ctx context.Context, group, key string, load func(context.Context) (T, error)) (T, error) {
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
		return place{key: key, adrift: true, since: m.local.fences.current(group)}
	}
	return place{key: key, generation: g.name}
}

// findGeneration returns nil when it cannot be known.
func (m *Manager) findGeneration(ctx context.Context, group string) *generation {
	at := m.local.fences.current(group)
	name := newName()
	if m.remote != nil {
		if m.remote.journal.has(subject{name: group, group: true}) {
			return nil
		}
		var err error
		if name, err = m.remote.findGeneration(context.WithoutCancel(ctx), group); err != nil {
			return nil
		}
	}
	found := &generation{name: name, epoch: at.epoch}
	m.groups.Compute(group, func(there *generation, ok bool) (*generation, otter.ComputeOp) {
		if ok && there.epoch == at.epoch && m.remote == nil {
			found = there // another reader has begun it
			return nil, otter.CancelOp
		}
		if at.suspended() || m.local.fences.current(group) != at || !m.local.usable.Load() {
			return nil, otter.CancelOp
		}
		return found, otter.WriteOp
	})
	return found
}

// dropGroup forgets the generation, and what is being read of it.
func (m *Manager) dropGroup(group string) {
	m.local.fences.move(group)
	m.groups.Invalidate(group)
}
