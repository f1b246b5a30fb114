package sqlite

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/hal9-ai/hal9/model"
)

// Config says which file to open and how its connections are used. Zero values are
// replaced by the defaults of WithDefaults.
type Config struct {
	// Path is the file; MemoryPath is a database in memory, shared by all
	// connections of this store and gone when it is closed.
	Path string
	// MaxConnections bounds the readers; the one writer comes on top. 20.
	MaxConnections int
	// AcquireTimeout bounds the wait for a free reader, for a place in the writer's
	// queue, and for the file's lock when another process holds it. 3 s.
	AcquireTimeout time.Duration
	// StatementTimeout bounds a read, each statement of a transaction, and a transaction
	// as a whole whose caller sets it no time. 10 s.
	StatementTimeout time.Duration
	// ReadOnly tells at each write whether writes are refused. Never.
	ReadOnly func() bool
	// Observer is told of every query. Nobody.
	Observer model.QueryObserver
}

// MemoryPath stands for a database in memory.
const MemoryPath = ":memory:"

// WithDefaults returns the configuration with its zero values replaced.
func (c Config) WithDefaults() Config {
	if c.MaxConnections == 0 {
		c.MaxConnections = 20
	}
	if c.AcquireTimeout == 0 {
		c.AcquireTimeout = 3 * time.Second
	}
	if c.StatementTimeout == 0 {
		c.StatementTimeout = 10 * time.Second
	}
	return c
}

func (c Config) validate() error {
	switch {
	case c.Path == "":
		return errors.New("database.url names no file: write sqlite::memory:, sqlite://relative/path.db or sqlite:///absolute/path.db")
	case c.MaxConnections < 1:
		return fmt.Errorf("database.max_connections is %d: it must be 1 or more", c.MaxConnections)
	case c.AcquireTimeout < 0 || c.StatementTimeout < 0:
		return errors.New("database.acquire_timeout and database.statement_timeout must not be negative")
	}
	return nil
}

// dsn is the driver's name for the file. Times are stored as integers: microseconds
// in UTC. memoryName tells databases in memory apart. FULL costs an fsync for each
// commit, which is what makes an acknowledged write survive a power cut; the writer
// shares it among all that commit together.
func (c Config) dsn(memoryName string, readOnly bool) string {
	q := url.Values{}
	q["_pragma"] = []string{
		fmt.Sprintf("busy_timeout(%d)", c.AcquireTimeout.Milliseconds()),
		"foreign_keys(1)",
		"journal_mode(WAL)",
		"synchronous(FULL)",
	}
	if readOnly {
		q.Add("_pragma", "query_only(1)")
	}
	q.Set("_txlock", "immediate")
	q.Set("_time_integer_format", "unix_micro")
	q.Set("_inttotime", "1")
	q.Set("_timezone", "UTC")
	if c.Path == MemoryPath {
		q.Set("vfs", "memdb")
		return "file:/" + memoryName + "?" + q.Encode()
	}
	return "file:" + escapePath(c.Path) + "?" + q.Encode()
}

// escapePath keeps the characters that mean something in a file URI out of a path.
func escapePath(path string) string {
	return strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
}
