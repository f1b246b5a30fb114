package upkeep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hal9-ai/hal9/model"
)

// leaseName is the row of the one lease that there is.
const leaseName = "upkeep"

// errLeaseLost ends a run whose lease went to another server.
var errLeaseLost = errors.New("another server has taken the upkeep over")

// acquire takes or renews the lease, and tells whether this server has it.
func (k *Keeper) acquire(ctx context.Context) (bool, error) {
	now := k.cfg.Clock()
	rows, err := k.cfg.Store.UpkeepLeaseAcquire(ctx, model.UpkeepLeaseAcquireParams{
		Name: leaseName, Holder: k.cfg.Holder, RenewedAt: now, ExpiresAt: now.Add(k.cfg.LeaseTTL),
	})
	if err != nil {
		return false, fmt.Errorf("take the lease: %w", err)
	}
	return rows == 1, nil
}

// release gives the lease back, so that another server need not wait for its end.
func (k *Keeper) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	_, err := k.cfg.Store.UpkeepLeaseRelease(ctx, model.UpkeepLeaseReleaseParams{Name: leaseName, Holder: k.cfg.Holder})
	if err != nil {
		k.log.WarnContext(ctx, "the lease of the upkeep was not given back; another server waits until it ends",
			slog.String("error", err.Error()))
	}
}

// renewing renews the lease while a long run goes on, and ends the run when it is lost.
// The caller calls stop, which waits for the last renewal.
func (k *Keeper) renewing(ctx context.Context) (run context.Context, stop func()) {
	run, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(k.cfg.LeaseTTL / 3) // two renewals may fail
		defer tick.Stop()
		for {
			select {
			case <-run.Done():
				return
			case <-tick.C:
			}
			// An error leaves the lease as it is: it may still be this server's.
			if held, err := k.acquire(run); err == nil && !held {
				cancel(errLeaseLost)
				return
			}
		}
	}()
	return run, func() {
		cancel(nil)
		<-done
	}
}
