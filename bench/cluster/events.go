package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/hal9-ai/hal9/bench/cluster/ha"
)

// event is something that happens to a cluster under load.
type event struct {
	name string
	do   func(context.Context, *ha.Cluster) error
	// harmless events must fail no request.
	harmless bool
	quick    bool
}

// downtime is how long what was killed stays away before it is started again: longer
// than Patroni's ttl, so that others have to take over.
const downtime = 15 * time.Second

func (t *trial) events() []event {
	all := []event{
		{name: "nothing", harmless: true, quick: true, do: func(ctx context.Context, _ *ha.Cluster) error { pause(ctx, 5*time.Second); return nil }},
		{name: "rolling restart", harmless: true, quick: true, do: rollingRestart},
		{name: "rolling migration", harmless: true, quick: true, do: t.rollingMigration},
		{name: "kill -9 a server", quick: true, do: killServer},
		{name: "kill -9 the primary's postgres", quick: true, do: onPrimary(func(ctx context.Context, n *ha.Node) error {
			pid := n.PostgresPID()
			return errors.Join(n.KillPostgres(), n.AwaitRestart(ctx, pid))
		})},
		{name: "kill -9 the primary's Patroni", do: onPrimary(func(ctx context.Context, n *ha.Node) error {
			return errors.Join(n.Patroni.Kill(), startAgain(ctx, n))
		})},
		{name: "kill -9 both", quick: true, do: onPrimary(func(ctx context.Context, n *ha.Node) error {
			return errors.Join(n.KillPostgres(), n.Patroni.Kill(), startAgain(ctx, n))
		})},
		{name: "SIGSTOP the primary's Patroni, 16 s", do: onPrimary(func(ctx context.Context, n *ha.Node) error {
			err := n.Patroni.Signal(syscall.SIGSTOP)
			pause(ctx, 16*time.Second)
			return errors.Join(err, n.Patroni.Signal(syscall.SIGCONT))
		})},
		{name: "switchover", do: switchover},
		{name: "kill -9 the synchronous standby", do: killStandby},
	}
	if t.options.Cache == "sentinel" || t.options.Cache == "cluster" {
		all = append(all, event{name: "kill -9 the cache's master", quick: true, do: killCache})
	}
	var chosen []event
	for _, e := range all {
		switch {
		case t.only != "" && !strings.Contains(e.name, t.only), t.only == "" && t.quick && !e.quick:
		case e.name == "rolling migration" && t.next == "":
		case t.options.Nodes == 1 && (strings.Contains(e.name, "standby") || e.name == "switchover"):
		default:
			chosen = append(chosen, e)
		}
	}
	return chosen
}

func onPrimary(do func(context.Context, *ha.Node) error) func(context.Context, *ha.Cluster) error {
	return func(ctx context.Context, c *ha.Cluster) error {
		n := c.Primary(ctx)
		if n == nil {
			return errors.New("there is no primary")
		}
		return do(ctx, n)
	}
}

func startAgain(ctx context.Context, n *ha.Node) error {
	pause(ctx, downtime)
	return n.Patroni.Start(ctx)
}

func rollingRestart(ctx context.Context, c *ha.Cluster) error {
	for _, s := range c.Servers {
		if err := errors.Join(s.Process.Stop(), s.Process.Start(ctx)); err != nil {
			return err
		}
		pause(ctx, time.Second) // HAProxy takes it in
	}
	return nil
}

// rollingMigration brings the next release: its migration first, then its program on
// one server after the other, and back again on one.
func (t *trial) rollingMigration(ctx context.Context, c *ha.Cluster) error {
	if err := c.Run(ctx, t.next, "migrate", "up"); err != nil {
		return err
	}
	replace := func(s *ha.Service, program string) error {
		if err := errors.Join(s.Process.Stop(), c.StartService(ctx, s, program)); err != nil {
			return err
		}
		pause(ctx, time.Second)
		return nil
	}
	for _, s := range c.Servers {
		if err := replace(s, t.next); err != nil {
			return fmt.Errorf("the next release: %w", err)
		}
	}
	if err := replace(c.Servers[0], t.options.Hal9); err != nil {
		return fmt.Errorf("the release before on the newer schema: %w", err)
	}
	return nil
}

func killServer(ctx context.Context, c *ha.Cluster) error {
	s := c.Servers[0].Process
	if err := s.Kill(); err != nil {
		return err
	}
	pause(ctx, 3*time.Second)
	return s.Start(ctx)
}

func switchover(ctx context.Context, c *ha.Cluster) error { return c.Switchover(ctx) }

func killStandby(ctx context.Context, c *ha.Cluster) error {
	n := c.Standby(ctx)
	if n == nil {
		return errors.New("there is no standby")
	}
	return errors.Join(n.KillPostgres(), n.Patroni.Kill(), startAgain(ctx, n))
}

func killCache(ctx context.Context, c *ha.Cluster) error {
	master := c.Cache.Nodes[0]
	if err := master.Kill(); err != nil {
		return err
	}
	pause(ctx, 5*time.Second)
	return master.Start(ctx)
}
