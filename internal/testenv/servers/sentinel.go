package servers

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// SentinelMaster is the name by which the Sentinels of a set know their master.
const SentinelMaster = "app"

const sentinels = 3

// StartCacheSentinel starts a master, a replica of it and three Sentinels, in this
// order in Nodes. A master that is silent for a second is replaced.
func StartCacheSentinel(ctx context.Context) (*Set, error) {
	return buildSet(ctx, func(ctx context.Context, s *Set) error {
		server := func(name string, more ...string) (*Node, error) {
			return s.add(ctx, node{name: name, arguments: func(port int) []string {
				return append([]string{
					"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", filepath.Join(s.Dir(), name),
					"--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1",
				}, more...)
			}})
		}
		master, err := server("master")
		if err != nil {
			return err
		}
		replica, err := server("replica", "--replicaof", "127.0.0.1 "+strconv.Itoa(master.Port))
		if err != nil {
			return err
		}
		if err := poll(ctx, func() error { return linked(ctx, replica) }); err != nil {
			return err
		}
		for i := range sentinels {
			if err := s.addSentinel(ctx, "sentinel"+strconv.Itoa(i), master.Port); err != nil {
				return err
			}
		}
		return s.awaitSentinels(ctx)
	})
}

// addSentinel starts a Sentinel. It writes what it learns into its configuration,
// so that has to be a file.
func (s *Set) addSentinel(ctx context.Context, name string, master int) error {
	file := filepath.Join(s.Dir(), name, "sentinel.conf")
	_, err := s.add(ctx, node{
		name: name,
		prepare: func(port int) error {
			text := fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %s\n"+
				"sentinel monitor %s 127.0.0.1 %d 2\n"+
				"sentinel down-after-milliseconds %[3]s 1000\n"+
				"sentinel failover-timeout %[3]s 5000\n",
				port, filepath.Dir(file), SentinelMaster, master)
			return s.writeFile(file, []byte(text))
		},
		arguments: func(int) []string { return []string{file, "--sentinel"} },
	})
	return err
}

// awaitSentinels returns when each Sentinel knows the replica and the others:
// before that they cannot agree on a failover.
func (s *Set) awaitSentinels(ctx context.Context) error {
	want := fmt.Sprintf("status=ok,address=127.0.0.1:%d,slaves=1,sentinels=%d", s.Nodes[0].Port, sentinels)
	return poll(ctx, func() error {
		for _, sentinel := range s.Nodes[2:] {
			info, err := sentinel.ask(ctx, "INFO", "sentinel")
			if err != nil {
				return err
			}
			if !strings.Contains(info, want) {
				return fmt.Errorf("a Sentinel does not know all yet, want %s:\n%s", want, info)
			}
		}
		return nil
	})
}

// writeFile writes a file that belongs to the servers' account.
func (s *Set) writeFile(path string, text []byte) error {
	err := os.WriteFile(path, text, 0o600)
	if err == nil && s.account.credential != nil {
		err = os.Chown(path, int(s.account.credential.Uid), int(s.account.credential.Gid))
	}
	if err != nil {
		return fmt.Errorf("write a node's file: %w", err)
	}
	return nil
}
