package cacheutil

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/valkey-io/valkey-go"
)

// Channel sends messages to all processes that subscribe to it, through the cache server.
// Who does not listen at the moment misses them: a channel keeps nothing. It is safe for
// concurrent use.
type Channel struct {
	manager *Manager
	name    string
}

// Channel returns the channel of a name, under the prefix of the keys. Without a cache
// server, and while it is away, its methods fail.
func (m *Manager) Channel(name string) *Channel {
	return &Channel{manager: m, name: m.cfg.Prefix + name}
}

// Publish sends messages in their order. An error says that some may not have been sent.
func (c *Channel) Publish(ctx context.Context, messages []string) error {
	client, ok := c.manager.asked()
	if !ok {
		return c.manager.away()
	}
	commands := make(valkey.Commands, len(messages))
	for i, message := range messages {
		commands[i] = client.B().Publish().Channel(c.name).Message(message).Build()
	}
	var errs error
	for _, result := range client.DoMulti(ctx, commands...) {
		errs = errors.Join(errs, result.Error())
	}
	c.manager.observe(ctx, errs)
	if errs != nil {
		return fmt.Errorf("publish to %s: %w", c.name, errs)
	}
	return nil
}

// Subscribe calls up when messages begin to arrive, and message for each, from one
// goroutine, until ctx ends or the connection is lost, which is its error. message must
// not wait.
func (c *Channel) Subscribe(ctx context.Context, up func(), message func(string)) error {
	client := c.manager.Client()
	if client == nil {
		return c.manager.away()
	}
	conn, err := dedicate(ctx, client)
	if err != nil {
		return fmt.Errorf("subscribe to %s: %w", c.name, err)
	}
	defer conn.Close()
	subscribed := make(chan struct{}, 1)
	lost := conn.SetPubSubHooks(valkey.PubSubHooks{
		OnMessage: func(m valkey.PubSubMessage) { message(m.Message) },
		OnSubscription: func(s valkey.PubSubSubscription) {
			if s.Kind == "subscribe" {
				select {
				case subscribed <- struct{}{}:
				default:
				}
			}
		},
	})
	limited, cancel := context.WithTimeout(ctx, linkTimeout)
	err = conn.Do(limited, conn.B().Subscribe().Channel(c.name).Build()).Error()
	cancel()
	if err != nil {
		return fmt.Errorf("subscribe to %s: %w", c.name, err)
	}
	ticker := time.NewTicker(channelPing)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-subscribed:
			up()
		case err := <-lost:
			return errors.Join(errConnectionLost, err)
		case <-ticker.C:
			if err := ping(ctx, conn, linkTimeout); err != nil {
				return err
			}
		}
	}
}

// channelPing is how soon a connection that brings nothing any more is noticed.
const channelPing = time.Second
