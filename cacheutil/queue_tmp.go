package cacheutil

import (
	"encoding/json"
	"io"
	"log/slog"
	"time"

	"github.com/valkey-io/valkey-go"
)

type Codec[T any] interface {
	Encode(value T) ([]byte, error)
	Decode(data []byte) (T, error)
}

type jsonCodec[T any] struct{}

func (jsonCodec[T]) Encode(v T) ([]byte, error) { return json.Marshal(v) }
func (jsonCodec[T]) Decode(data []byte) (v T, err error) {
	err = json.Unmarshal(data, &v)
	return v, err
}

func defaultCodec[T any]() Codec[T] { return jsonCodec[T]{} }

type Manager struct {
	client valkey.Client
	config Config
}
type Config struct {
	URL         string
	Prefix      string
	CallTimeout time.Duration
	Logger      *slog.Logger
}

func (m *Manager) Close() error          { m.client.Close(); return nil }
func (m *Manager) Client() valkey.Client { return m.client }

func Open(_ any, c Config) (*Manager, error) {
	o, err := valkey.ParseURL(c.URL)
	if err != nil {
		return nil, err
	}
	o.ForceSingleClient, o.DisableCache, o.DisableRetry, o.AlwaysPipelining = true, true, true, true
	o.Dialer.Timeout, o.ConnWriteTimeout = 200*time.Millisecond, 500*time.Millisecond
	client, _ := valkey.NewClient(o)
	if c.CallTimeout == 0 {
		c.CallTimeout = 50 * time.Millisecond
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	return &Manager{client, c}, nil
}

func NewQueue[T any](m *Manager, o QueueOptions[T]) (*Queue[T], error) {
	return newQueue(queueLink{client: m.Client, prefix: m.config.Prefix, budget: m.config.CallTimeout, logger: m.config.Logger,
		allow: func() bool { return true }, report: func(error) {}}, o)
}
