package server

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/VictoriaMetrics/metrics"

	"github.com/hal9-ai/hal9/auth"
)

// streamLimits are who listens to the stream of signals, and how many may.
type streamLimits struct {
	most, perClient int
	count           atomic.Int64
	events          *metrics.Counter
	dropped         map[string]*metrics.Counter
	refused         *metrics.Counter

	mu      sync.Mutex
	clients map[string]int
}

func newStreamLimits(cfg *Config, set *metrics.Set) *streamLimits {
	l := &streamLimits{
		most: cfg.Streams, perClient: cfg.StreamsPerClient, clients: map[string]int{},
		events:  set.NewCounter("hal9_signal_stream_events_total"),
		refused: set.GetOrCreateCounter(`hal9_rate_limit_hits_total{limit="streams"}`),
		dropped: map[string]*metrics.Counter{},
	}
	for _, reason := range []string{endSlow, endRevoked, endShutdown, endFailed} {
		l.dropped[reason] = set.NewCounter(fmt.Sprintf("hal9_signal_stream_dropped_total{reason=%q}", reason))
	}
	return l
}

// streamClient is whose stream it is: a user's with all his keys and sessions, or an
// address's.
func streamClient(ctx context.Context) string {
	if p := principalOf(ctx); p.Known() {
		return string(p.UserID[:])
	}
	return auth.AddressKey(clientOf(ctx).IP)
}

// enter lets one more listen, who calls leave at the end.
func (l *streamLimits) enter(client string) (leave func(), refusal *problem) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if int(l.count.Load()) >= l.most {
		l.refused.Inc()
		return nil, newProblem(http.StatusServiceUnavailable, fmt.Sprintf(
			"%d listen to this server's signals, which is limits.streams; try again later, or another server", l.most)).with("Retry-After", "5")
	}
	if l.perClient > 0 && l.clients[client] >= l.perClient {
		l.refused.Inc()
		return nil, newProblem(http.StatusTooManyRequests, fmt.Sprintf(
			"you have %d streams of this server's, which is limits.streams_per_client; end one", l.perClient)).with("Retry-After", "5")
	}
	l.count.Add(1)
	l.clients[client]++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.count.Add(-1)
		if l.clients[client]--; l.clients[client] == 0 {
			delete(l.clients, client)
		}
	}, nil
}

func (l *streamLimits) sent(events int) { l.events.Add(events) }

// ended counts a stream that its client did not end.
func (l *streamLimits) ended(reason string) { l.dropped[reason].Inc() }
