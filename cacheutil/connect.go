package cacheutil

import (
	"context"
	"fmt"
	"time"

	"github.com/valkey-io/valkey-go"
)

const (
	// connWriteTimeout ends connections whose server has stopped answering.
	connWriteTimeout = 2 * time.Second
	// bufferSize keeps a connection's memory small.
	bufferSize = 64 << 10
	// leastConnections are one that brings the invalidations and one for a subscription.
	leastConnections = 2
	// topologyInterval is how often the client looks for the nodes of a cluster by
	// itself, sentinelInterval for the master behind Sentinels: a master that was
	// replaced goes on answering for a while.
	topologyInterval = 5 * time.Second
	sentinelInterval = time.Second
)

// clientOption reads the URL and sets what keeps a call from waiting.
func clientOption(cfg Config) (valkey.ClientOption, error) {
	option, err := ParseURL(cfg.URL)
	if err != nil {
		return option, err
	}
	option.Dialer.Timeout = maxDialTimeout
	option.ConnWriteTimeout = connWriteTimeout
	// A lone call that is not pipelined closes its connection when it takes too
	// long. The caches are ours; the client's own would only take memory.
	option.AlwaysPipelining = cfg.Pipelining
	option.DisableRetry, option.DisableCache = true, true
	if option.BlockingPoolSize = cfg.MaxConnections; cfg.MaxConnections > 0 {
		option.BlockingPoolSize = max(cfg.MaxConnections, leastConnections)
	}
	option.ReadBufferEachConn, option.WriteBufferEachConn = bufferSize, bufferSize
	option.ClusterOption.ShardsRefreshInterval = topologyInterval
	if option.Sentinel.MasterSet != "" {
		option.Sentinel.TopologyRefreshInterval = sentinelInterval
		option.Sentinel.Dialer = option.Dialer
	}
	return option, nil
}

// connect makes the client. It needs an answer of the server, whose kind decides
// about the client's.
func (r *remote) connect(option valkey.ClientOption) error {
	client, err := valkey.NewClient(option)
	if err != nil {
		if client != nil { // of a single server
			client.Close()
		}
		return fmt.Errorf("connect to Valkey: %w", err)
	}
	r.client.Store(&client)
	return nil
}

// dedicate takes a connection out of the pool, as soon as one is free. The client itself
// would wait for that whatever the context says.
func dedicate(ctx context.Context, client valkey.Client) (valkey.DedicatedClient, error) {
	taken := make(chan valkey.DedicatedClient)
	go func() {
		conn, _ := client.Dedicate()
		select {
		case taken <- conn:
		case <-ctx.Done():
			conn.Close()
		}
	}()
	select {
	case conn := <-taken:
		return conn, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// ping asks whether Valkey answers.
func ping(ctx context.Context, client valkey.CoreClient, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := client.Do(ctx, client.B().Ping().Build()).Error(); err != nil {
		return fmt.Errorf("ping Valkey: %w", err)
	}
	return nil
}
