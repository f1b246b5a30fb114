package postgres

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hal9-ai/hal9/internal/pgurl"
)

const (
	channelConnectTimeout = 5 * time.Second
	// channelPing is how often a connection that brings nothing is looked at.
	channelPing = 10 * time.Second
	// channelTry is how long a channel may take to bring a message to its sender.
	channelTry = 5 * time.Second
)

// Channel sends messages to all processes that listen, by NOTIFY. Who does not listen at
// the moment misses them. It has two connections of its own, made when they are needed:
// they must lead to the server itself, since a pooler that gives each transaction another
// connection passes no notifications on. It is safe for concurrent use.
type Channel struct {
	url, name string

	mu   sync.Mutex
	conn *pgx.Conn // sends
}

// NewChannel returns a channel of the database. Nothing is connected yet. A message must
// be shorter than 8000 bytes.
func NewChannel(url, name string) *Channel { return &Channel{url: url, name: name} }

func (c *Channel) connect(ctx context.Context) (*pgx.Conn, error) {
	pool, err := pgurl.Parse(c.url)
	if err != nil {
		return nil, fmt.Errorf("database.admin_url or database.url: %w", err)
	}
	cfg := pool.ConnConfig
	cfg.ConnectTimeout = channelConnectTimeout
	cfg.DefaultQueryExecMode = pgx.QueryExecModeExec // prepares nothing
	cfg.RuntimeParams["application_name"] = "hal9 notices"
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("connect for notices to %s: %w", pgurl.Target(&cfg.Config), translate("", err))
	}
	return conn, nil
}

// Publish sends messages in their order, in one transaction. An error says that they may
// not have been sent.
func (c *Channel) Publish(ctx context.Context, messages []string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == nil || c.conn.IsClosed() {
		conn, err := c.connect(ctx)
		if err != nil {
			return err
		}
		c.conn = conn
	}
	const send = `SELECT pg_notify($1, message) FROM unnest($2::text[]) WITH ORDINALITY AS m (message, n) ORDER BY n`
	if _, err := c.conn.Exec(ctx, send, c.name, messages); err != nil {
		return fmt.Errorf("notify %s: %w", c.name, err)
	}
	return nil
}

// Subscribe calls up when messages begin to arrive, and message for each, from one
// goroutine, until ctx ends or the connection is lost, which is its error. Empty messages
// are how a channel tries itself.
func (c *Channel) Subscribe(ctx context.Context, up func(), message func(string)) (err error) {
	conn, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer part(ctx, conn)
	tried, cancel := context.WithTimeout(ctx, channelTry)
	defer cancel()
	if _, err := conn.Exec(tried, "LISTEN "+pgx.Identifier{c.name}.Sanitize()); err != nil {
		return fmt.Errorf("listen to %s: %w", c.name, err)
	}
	if err := c.Publish(tried, []string{""}); err != nil {
		return err
	}
	first, err := conn.WaitForNotification(tried)
	if err != nil {
		return fmt.Errorf("a notification did not come back; if the URL leads through a pooler, set database.admin_url past it: %w", err)
	}
	up()
	message(first.Payload)
	for {
		waiting, cancel := context.WithTimeout(ctx, channelPing)
		n, err := conn.WaitForNotification(waiting)
		cancel()
		switch {
		case err == nil:
			message(n.Payload)
		case ctx.Err() != nil:
			return ctx.Err()
		case pgconn.Timeout(err) && !conn.IsClosed():
			if err := answers(ctx, conn); err != nil {
				return fmt.Errorf("look whether notices can arrive: %w", err)
			}
		default:
			return fmt.Errorf("wait for notices: %w", err)
		}
	}
}

// answers tells whether the server still does; a connection that the network has forgotten
// would wait for ever.
func answers(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, channelTry)
	defer cancel()
	return conn.Ping(ctx)
}

// part closes a connection, without waiting for a server that does not answer. Nothing is
// lost by it.
func part(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	_ = conn.Close(ctx) // it is given up either way
}

// Close ends the connection that sends.
func (c *Channel) Close(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == nil {
		return nil
	}
	part(ctx, c.conn)
	return nil
}
