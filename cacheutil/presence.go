package cacheutil

import (
	"context"
	"fmt"
	"time"

	"github.com/valkey-io/valkey-go"
)

// A process that is killed between a commit and its invalidation, or while its journal
// holds some, leaves old values in Valkey, and nobody knows which. So each process says in
// Valkey that it is there, and takes its leave when it has told everything. Who is silent
// without that has everything put out of reach by whoever notices first: the era's script,
// which asks each time, begins a new era at once and tells all.
const (
	// presenceInterval is how often a process says that it is there.
	presenceInterval = time.Second
	// presenceTimeout is for how long it may be silent. It is longer than a busy machine
	// holds up a process, since a cold cache is not what that needs.
	presenceTimeout = 5 * time.Second
	// presenceGap is what of a time in which nobody was heard counts for that: Valkey
	// itself was away then.
	presenceGap = 2 * presenceInterval
	// departTimeout bounds what the end of a process waits for Valkey.
	departTimeout = 500 * time.Millisecond
)

// presence returns the name to be noted, empty if that is not due.
func (k *keeper) presence(now time.Time) string {
	if now.Before(k.nextPresence) {
		return ""
	}
	k.nextPresence = now.Add(presenceInterval)
	return k.name
}

// Others is how many other processes said of late that they use the same Valkey under the
// same prefix, those included that fell silent a moment ago. It is 0 without Valkey.
func (m *Manager) Others(ctx context.Context) (int, error) {
	if m.remote == nil {
		return 0, nil
	}
	client, _, err := m.remote.usable()
	if err != nil {
		return 0, fmt.Errorf("ask Valkey who is there: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, m.cfg.CallTimeout)
	defer cancel()
	names, err := client.Do(ctx, client.B().Hkeys().Key(eraKeys(m.cfg.Prefix)[2]).Build()).AsStrSlice()
	if err != nil {
		return 0, fmt.Errorf("ask Valkey who is there: %w", err)
	}
	others := 0
	for _, name := range names {
		if len(name) > 1 && name != m.remote.name { // not the clock's fields
			others++
		}
	}
	return others, nil
}

// depart says that this process ends, unless it goes with something untold: then the others
// are to find it silent. The keeper's own context has ended.
func (k *keeper) depart(ctx context.Context, client valkey.Client) {
	if k.journal.length() > 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), departTimeout)
	defer cancel()
	// Where it fails, the others find this process silent.
	_ = runScript(ctx, client, scriptCall{k.scripts.depart, eraKeys(k.cfg.Prefix)[2:], []string{k.name}}).Error()
}
