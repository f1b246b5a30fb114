package main

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/internal/config"
	"github.com/hal9-ai/hal9/model"
)

// newAccounts makes the service that keeps accounts, in either mode of access.
func newAccounts(cfg *config.Config, st model.Store, ids *model.IDGenerator, log *slog.Logger, set *metrics.Set, hash auth.HashFunc) (*auth.Service, error) {
	a := cfg.Auth
	accounts, err := auth.New(auth.Config{
		Store: st, IDs: ids, Clock: time.Now, Logger: log, Metrics: set,
		RegistrationClosed: !a.RegistrationOpen(), AccessTTL: a.AccessTTL, RefreshTTL: a.RefreshTTL,
		HashConcurrency: a.HashConcurrency, HashQueueTimeout: a.HashQueueTimeout, Hash: hash,
		FailuresPerAccount: a.FailuresPerAccount, FailuresPerAddress: a.FailuresPerAddress, FailureWindow: a.FailureWindow,
	})
	if err != nil {
		return nil, fmt.Errorf("serve accounts: %w", err)
	}
	return accounts, nil
}
