package cacheutil

import (
	"context"
	"time"
)

// openEpoch asks for the epoch, and keeps asking in the background.
func (m *Manager) openEpoch(ctx context.Context) {
	if m.cfg.EpochSource == nil {
		return
	}
	if epoch, err := m.cfg.EpochSource(ctx); err == nil {
		m.cfg.Epoch = epoch
	} else {
		m.cfg.Logger.WarnContext(ctx, "the cache's epoch is unknown as yet", "error", err)
	}
	m.spawn(func() { m.followEpoch(m.ctx, m.cfg.Epoch) })
}

func (m *Manager) followEpoch(ctx context.Context, current int64) {
	ticker := time.NewTicker(m.cfg.EpochInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		epoch, err := m.cfg.EpochSource(ctx)
		if err != nil || epoch == current {
			continue
		}
		m.cfg.Logger.InfoContext(ctx, "the epoch has changed: nothing cached before is found", "epoch", epoch)
		current = epoch
		if m.remote != nil {
			m.remote.setEpoch(epoch)
		}
		m.local.clear()
	}
}
