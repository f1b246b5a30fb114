package servers

import (
	"context"
	"fmt"
	"os"
)

// The environment variables that name servers for the tests.
const (
	PostgresVariable = "HAL9_TEST_POSTGRES_URL"
	CacheVariable    = "HAL9_TEST_CACHE_URL"
)

// GivenPostgres returns the URL of the PostgreSQL that the environment names, or
// the empty string if it names none. A server that cannot serve the tests is an
// error.
func GivenPostgres(ctx context.Context) (string, error) {
	return given(ctx, PostgresVariable, checkPostgres)
}

// GivenCache is GivenPostgres for Valkey or Redis.
func GivenCache(ctx context.Context) (string, error) {
	return given(ctx, CacheVariable, checkCache)
}

func given(ctx context.Context, variable string, check func(context.Context, string) error) (string, error) {
	url := os.Getenv(variable)
	if url == "" {
		return "", nil
	}
	if err := check(ctx, url); err != nil {
		return "", fmt.Errorf("the server that %s names cannot be used: %w: "+
			"correct the variable, or unset it to have a private server", variable, err)
	}
	return url, nil
}
