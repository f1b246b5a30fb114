package servers

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/valkey-io/valkey-go"
)

// StartCache starts a private Valkey or Redis that keeps everything in memory.
func StartCache(ctx context.Context) (*Server, error) {
	program, err := FindCache()
	if err != nil {
		return nil, err
	}
	return start(ctx, cacheRecipe(program))
}

func cacheRecipe(program string) recipe {
	return recipe{
		name:   "Valkey",
		signal: "TERM",
		command: func(port int) []string {
			return []string{
				program, "--port", strconv.Itoa(port), "--bind", "127.0.0.1",
				"--save", "", "--appendonly", "no", "--dir", ".",
			}
		},
		url: func(port int) string { return fmt.Sprintf("redis://127.0.0.1:%d/0", port) },
		ready: func(ctx context.Context, s *Server) error {
			info, err := cacheInfo(ctx, s.url)
			if err != nil {
				return err
			}
			return isProcess(info, s)
		},
	}
}

// isProcess fails if the information is of another process: one that took the
// port first.
func isProcess(info string, s *Server) error {
	if !strings.Contains(info, fmt.Sprintf("\nprocess_id:%d\r\n", s.pid)) {
		return fmt.Errorf("another server answers at %s", s.url)
	}
	return nil
}

// checkCache tells whether the tests can work with the server at the URL.
func checkCache(ctx context.Context, url string) error {
	_, err := cacheInfo(ctx, url)
	return err
}

// cacheInfo asks the server about itself on a connection of its own.
func cacheInfo(ctx context.Context, url string) (string, error) {
	option, err := valkey.ParseURL(url)
	if err != nil {
		return "", fmt.Errorf("read the cache's URL: %w", err)
	}
	option.DisableCache = true
	option.ForceSingleClient = true
	option.AlwaysPipelining = false
	client, err := valkey.NewClient(option)
	if err != nil {
		return "", fmt.Errorf("connect to the cache: %w", err)
	}
	defer client.Close()
	info, err := client.Do(ctx, client.B().Info().Section("server").Build()).ToString()
	if err != nil {
		return "", fmt.Errorf("ask the cache about itself: %w", err)
	}
	return info, nil
}
