package ha

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/hal9-ai/hal9/internal/testenv/servers"
)

// Service is one server of hal9.
type Service struct {
	Name, URL string
	Process   *servers.Process

	listen string
}

func (c *Cluster) startServices(ctx context.Context) error {
	for _, at := range c.proxy.Servers {
		s := &Service{Name: at.Name, URL: "http://" + at.Address, listen: at.Address}
		c.Servers = append(c.Servers, s)
		if err := c.StartService(ctx, s, c.options.Hal9); err != nil {
			return err
		}
	}
	return nil
}

// StartService starts a server of the given program, and returns when it is ready.
func (c *Cluster) StartService(ctx context.Context, s *Service, program string) error {
	// A shell changes the environment and the directory, and becomes the server.
	command := append([]string{"/usr/bin/env", "-C", c.home.Dir()}, c.environment()...)
	if c.options.ServerCPU != "" {
		command = append(command, "taskset", "-c", c.options.ServerCPU)
	}
	p, err := servers.StartProgram(ctx, servers.Program{
		Name: s.Name, Log: c.log(s.Name), AsCaller: true,
		Command: append(command, program, "serve", "--server-listen", s.listen),
		Ready:   func(ctx context.Context) error { return wants200(ctx, "GET", s.URL+"/readyz") },
	})
	s.Process = p
	return err
}

func (c *Cluster) environment() []string {
	environment := []string{
		"HAL9_DATABASE_URL=" + c.Database, "HAL9_CACHE_URL=" + c.CacheURL, "HAL9_SERVER_TRUSTED_PROXIES=127.0.0.1",
	}
	if len(c.Nodes) > 1 {
		// Each node under its own name: a server leaves alone the one that is the primary.
		var replicas []string
		for _, n := range c.proxy.Nodes {
			replicas = append(replicas, "postgres://postgres@"+n.Address+"/hal9?sslmode=disable")
		}
		environment = append(environment, "HAL9_DATABASE_REPLICA_URLS="+strings.Join(replicas, ","))
	}
	return append(environment, c.options.Environment...)
}

// Run runs a command of hal9 on the database.
func (c *Cluster) Run(ctx context.Context, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // our own program
	cmd.Env = append(os.Environ(), c.environment()...)
	cmd.Dir = c.home.Dir()
	text, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %v: %w\n%s", filepath.Base(program), args, err, text)
	}
	return nil
}
