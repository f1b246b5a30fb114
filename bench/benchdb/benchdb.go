// Package benchdb makes databases for programs that measure.
package benchdb

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// New makes a database on a PostgreSQL server, whose URL may name any database of it, and
// returns the new one's URL and what drops it, whoever is still connected.
func New(ctx context.Context, server, name string) (address string, drop func() error, err error) {
	u, err := url.Parse(server)
	if err != nil {
		return "", nil, errors.New("the URL of the PostgreSQL server cannot be read")
	}
	name = "hal9_" + name + "_" + strconv.FormatInt(time.Now().UnixMilli(), 36)
	if err := run(ctx, server, "CREATE DATABASE "+name); err != nil {
		return "", nil, err
	}
	u.Path = "/" + name
	beyond := context.WithoutCancel(ctx)
	return u.String(), func() error { return run(beyond, server, "DROP DATABASE "+name+" WITH (FORCE)") }, nil
}

func run(ctx context.Context, server, statement string) error {
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}
