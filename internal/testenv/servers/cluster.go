package servers

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/valkey-io/valkey-go"
)

const (
	clusterMasters = 3
	clusterSlots   = 16384
)

// StartCacheCluster starts a cluster of three masters and, after them in Nodes, a
// replica of each. A master that is silent for two seconds is replaced.
func StartCacheCluster(ctx context.Context) (*Set, error) {
	return buildSet(ctx, func(ctx context.Context, s *Set) error {
		buses := make(map[*Node]int)
		for i := range 2 * clusterMasters {
			name := "n" + strconv.Itoa(i)
			// The default, 10000 above the port, may lie beyond the last port.
			bus, err := freePort(ctx)
			if err != nil {
				return err
			}
			node, err := s.add(ctx, node{name: name, arguments: func(port int) []string {
				return []string{
					"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", filepath.Join(s.Dir(), name),
					"--save", "", "--appendonly", "no", "--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(bus),
					"--cluster-node-timeout", "2000", "--cluster-config-file", "nodes.conf",
					"--repl-diskless-sync-delay", "0",
				}
			}})
			if err != nil {
				return err
			}
			buses[node] = bus
		}
		return joinCluster(ctx, s.Nodes, buses)
	})
}

// joinCluster makes a cluster of single nodes: what the command line client's
// --cluster create does, which is not everywhere installed.
func joinCluster(ctx context.Context, nodes []*Node, buses map[*Node]int) error {
	ids := make([]string, len(nodes))
	for i, node := range nodes {
		var err error
		if ids[i], err = node.ask(ctx, "CLUSTER", "MYID"); err != nil {
			return err
		}
		if _, err := node.ask(ctx, "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1)); err != nil {
			return err
		}
		if i < clusterMasters {
			first, next := i*clusterSlots/clusterMasters, (i+1)*clusterSlots/clusterMasters
			if _, err := node.ask(ctx, "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(first), strconv.Itoa(next-1)); err != nil {
				return err
			}
		}
		if i > 0 {
			_, err := node.ask(ctx, "CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(nodes[0].Port), strconv.Itoa(buses[nodes[0]]))
			if err != nil {
				return err
			}
		}
	}
	for i, node := range nodes {
		if i >= clusterMasters {
			// It does not know its master at once.
			err := poll(ctx, func() error {
				_, err := node.ask(ctx, "CLUSTER", "REPLICATE", ids[i-clusterMasters])
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return poll(ctx, func() error {
		for i, node := range nodes {
			info, err := node.ask(ctx, "CLUSTER", "INFO")
			if err != nil {
				return err
			}
			// Every node must know which are the masters, or one that dies early is
			// not replaced.
			for _, want := range []string{"cluster_state:ok", "cluster_slots_ok:16384", "cluster_known_nodes:6", "cluster_size:3"} {
				if !strings.Contains(info, want+"\r\n") {
					return fmt.Errorf("the cluster is not %s:\n%s", want, info)
				}
			}
			if i < clusterMasters {
				continue
			}
			if err := linked(ctx, node); err != nil {
				return err
			}
		}
		for _, node := range nodes[:clusterMasters] {
			list, err := node.ask(ctx, "CLUSTER", "NODES")
			if err != nil {
				return err
			}
			if strings.Count(list, "slave ") != clusterMasters {
				return fmt.Errorf("not all replicas are known:\n%s", list)
			}
		}
		return nil
	})
}

// linked fails unless the node is a replica that has its master's data.
func linked(ctx context.Context, node *Node) error {
	info, err := node.ask(ctx, "INFO", "replication")
	if err != nil {
		return err
	}
	if !strings.Contains(info, "master_link_status:up\r\n") {
		return errors.New("a replica does not have its master's data yet")
	}
	return nil
}

// ask sends the node a command and returns the answer as text.
func (n *Node) ask(ctx context.Context, command ...string) (string, error) {
	return askOnce(ctx, n.option(), command...)
}

// poll repeats the attempt until it succeeds or the context ends.
func poll(ctx context.Context, attempt func() error) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := attempt()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-tick.C:
		}
	}
}

func loopback(port int) valkey.ClientOption {
	return valkey.ClientOption{InitAddress: []string{"127.0.0.1:" + strconv.Itoa(port)}}
}
