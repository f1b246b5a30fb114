package cacheutil

import (
	"context"
	"time"

	"github.com/valkey-io/valkey-go"
)

// relink keeps a link to every master: each tells of its own keys alone.
func (k *keeper) relink(ctx context.Context, client valkey.Client) {
	began := time.Now()
	masters := map[string]valkey.Client{"": client}
	if client.Mode() == valkey.ClientModeCluster {
		var ok bool
		if masters, ok = k.findMasters(ctx, client); !ok {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.allKnown = false
			return
		}
	}
	k.unlink(masters)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.allKnown = true
	for address, master := range masters {
		if k.links[address] != nil {
			continue
		}
		linked, cancel := context.WithCancel(ctx)
		l := &link{address: address, cancel: cancel, ended: make(chan struct{})}
		k.links[address] = l
		k.live = false
		k.doubtEra()
		k.local.suspend()
		k.local.fences.advance()
		go k.keepLink(linked, l, master) // ends with unlink
	}
	k.clustered, k.mastersProven = client.Mode() == valkey.ClientModeCluster, began
	k.judge()
}

// findMasters asks every node for its role. One that does not tell may be a
// master, unless it was a replica: then not all masters are known.
func (k *keeper) findMasters(ctx context.Context, client valkey.Client) (map[string]valkey.Client, bool) {
	masters := map[string]valkey.Client{}
	for address, node := range client.Nodes() {
		limited, cancel := context.WithTimeout(ctx, k.patience())
		role, err := node.Do(limited, node.B().Role().Build()).ToArray()
		cancel()
		if err != nil || len(role) == 0 {
			if k.replicas[address] {
				continue
			}
			return nil, false
		}
		name, err := role[0].ToString()
		isMaster := err == nil && name == "master"
		k.replicas[address] = !isMaster
		if isMaster {
			masters[address] = node
		}
	}
	return masters, len(masters) > 0
}

// unlink ends the links to all but the given masters.
func (r *remote) unlink(masters map[string]valkey.Client) {
	r.mu.Lock()
	var ending []*link
	for address, l := range r.links {
		if masters[address] == nil {
			ending = append(ending, l)
			delete(r.links, address)
		}
	}
	r.mu.Unlock()
	for _, l := range ending {
		l.cancel()
		<-l.ended
	}
}

// follow ends the link if calls are answered by another process than the one it
// leads to: behind Sentinels they go to a new master first, and the old one, which
// hears of no change, does not break the link for a while.
func (k *keeper) follow(run string) {
	k.mu.Lock()
	l := k.links[""]
	elsewhere := l != nil && l.up && run != "" && k.runs[""] != "" && k.runs[""] != run
	k.mu.Unlock()
	if elsewhere {
		k.unlink(nil)
		k.nextNodes = time.Time{}
		k.wakeKeeper()
	}
}

// setLink records that a link is up or down.
func (r *remote) setLink(l *link, up bool) {
	r.mu.Lock()
	l.up = up
	r.mu.Unlock()
	if up {
		r.wakeKeeper()
	} else {
		r.lost()
	}
}

// lost empties the first tier and leaves it empty until invalidations arrive.
func (r *remote) lost() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.live = false
	r.local.suspend()
	r.doubtEra()
	// Until the era is known again, nothing is read: it may be another process that
	// answers, with older data.
	r.space.Store(nil)
	r.doubt()
}

// doubtEra remembers the era of the time before the trouble. r.mu is held.
func (r *remote) doubtEra() {
	if r.doubted == "" {
		r.doubted = r.era
	}
}

func (r *remote) isLive() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.live
}

// settle lets the first tier be used as soon as every master tells of its
// changes. What was read before is not kept: a change may have gone untold.
func (k *keeper) settle(ctx context.Context) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.live || !k.allKnown || k.space.Load() == nil || k.eraDue.Load() {
		return
	}
	for _, l := range k.links {
		if !l.up {
			return
		}
	}
	k.live = true
	k.doubted = ""
	k.local.fences.advance()
	k.judge()
	k.log.InfoContext(ctx, "invalidations arrive from Valkey; process memory is used")
}
