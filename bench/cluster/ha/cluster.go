package ha

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hal9-ai/hal9/internal/testenv/servers"
)

// Options say what to run.
type Options struct {
	// Hal9 is the path of the program.
	Hal9 string
	// Servers and Nodes are how many servers of hal9 and nodes of PostgreSQL.
	Servers, Nodes int
	// Strict lets writes wait while there is no synchronous standby; Asynchronous has
	// none at all.
	Strict, Asynchronous bool
	// Cache is sentinel, cluster, single or none.
	Cache string
	// Environment is added to that of each server: NAME=value.
	Environment []string
	// ServerCPU is the core that the servers run on, "" for any.
	ServerCPU string
	// Statements has PostgreSQL count its statements, for Cluster.Statements.
	Statements bool
	// Out is told what happens.
	Out io.Writer
}

// Cluster is a running installation. Its methods are for one goroutine.
type Cluster struct {
	Etcd    *servers.Process
	HAProxy *servers.Process
	Nodes   []*Node
	Servers []*Service
	Cache   *servers.Set

	// API, Stats and Database are URLs behind HAProxy.
	API, Stats, Database, Replicas string
	CacheURL                       string

	options  Options
	programs programs
	home     *servers.Home
	ports    ports
	etcd     string
	proxy    ProxyConfig
}

const startTimeout = 2 * time.Minute

// Start runs everything, migrates the database and returns when every server is ready
// and the synchronous standby is there.
func Start(ctx context.Context, o Options) (started *Cluster, err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	c := &Cluster{options: o, ports: ports{given: map[int]bool{}}}
	if c.programs, err = findPrograms(ctx, o.Out); err != nil {
		return nil, err
	}
	if c.home, err = servers.NewHome(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Stop())
		}
	}()
	if _, err := c.home.MakeDir("logs"); err != nil {
		return nil, err
	}
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"etcd", c.startEtcd},
		{"PostgreSQL under Patroni", c.startNodes},
		{"the cache", c.startCache},
		{"HAProxy", c.startHAProxy},
		{"the database", c.prepareDatabase},
		{"hal9", c.startServices},
		{"the standby", c.AwaitWhole},
	} {
		begin := time.Now()
		if err := step.do(ctx); err != nil {
			return nil, fmt.Errorf("start %s: %w", step.what, err)
		}
		fmt.Fprintf(o.Out, "%-26s %4.1f s\n", step.what, time.Since(begin).Seconds())
	}
	return c, nil
}

// Stop ends everything, each by its process id, what asks before what is asked.
func (c *Cluster) Stop() error {
	var errs []error
	stop := func(p *servers.Process) {
		if p != nil {
			errs = append(errs, p.Stop())
		}
	}
	for _, s := range c.Servers {
		stop(s.Process)
	}
	stop(c.HAProxy)
	if c.Cache != nil {
		errs = append(errs, c.Cache.Stop())
	}
	for _, n := range c.Nodes {
		stop(n.Patroni)
	}
	stop(c.Etcd)
	return errors.Join(append(errs, c.home.Close())...)
}

// Dir is where everything lies, with a log of each program in logs.
func (c *Cluster) Dir() string { return c.home.Dir() }

func (c *Cluster) log(name string) string { return filepath.Join(c.home.Dir(), "logs", name+".log") }

func (c *Cluster) startEtcd(ctx context.Context) (err error) {
	client, err := c.ports.next(ctx)
	if err != nil {
		return err
	}
	peer, err := c.ports.next(ctx)
	if err != nil {
		return err
	}
	dir, err := c.home.MakeDir("etcd")
	if err != nil {
		return err
	}
	c.etcd = address(client)
	clientURL, peerURL := "http://"+address(client), "http://"+address(peer)
	c.Etcd, err = servers.StartProgram(ctx, servers.Program{
		Name: "etcd", Log: c.log("etcd"),
		Command: []string{
			c.programs.etcd, "--name", "e1", "--data-dir", filepath.Join(dir, "data"), "--logger", "zap",
			"--listen-client-urls", clientURL, "--advertise-client-urls", clientURL,
			"--listen-peer-urls", peerURL, "--initial-advertise-peer-urls", peerURL, "--initial-cluster", "e1=" + peerURL,
		},
		Ready: func(ctx context.Context) error { return wants200(ctx, "GET", clientURL+"/health") },
	})
	return err
}

func (c *Cluster) startCache(ctx context.Context) (err error) {
	switch c.options.Cache {
	case "none":
		return nil
	case "single":
		c.Cache, err = servers.StartCacheNode(ctx)
		if err == nil {
			c.CacheURL = "redis://" + address(c.Cache.Nodes[0].Port)
		}
	case "cluster":
		c.Cache, err = servers.StartCacheCluster(ctx)
		if err == nil {
			c.CacheURL = fmt.Sprintf("redis://%s?addr=%s&cluster=true", address(c.Cache.Nodes[0].Port), address(c.Cache.Nodes[1].Port))
		}
	case "sentinel":
		c.Cache, err = servers.StartCacheSentinel(ctx)
		if err == nil {
			s := c.Cache.Nodes[2:]
			c.CacheURL = fmt.Sprintf("redis://%s?addr=%s&addr=%s&master_set=%s",
				address(s[0].Port), address(s[1].Port), address(s[2].Port), servers.SentinelMaster)
		}
	default:
		err = fmt.Errorf("--cache %s: give sentinel, cluster, single or none", c.options.Cache)
	}
	return err
}

func (c *Cluster) startHAProxy(ctx context.Context) error {
	for _, at := range []*string{&c.proxy.API, &c.proxy.Primary, &c.proxy.Replicas, &c.proxy.Stats} {
		port, err := c.ports.next(ctx)
		if err != nil {
			return err
		}
		*at = address(port)
	}
	for _, n := range c.Nodes {
		c.proxy.Nodes = append(c.proxy.Nodes, Endpoint{n.Name, address(n.port), n.rest})
	}
	for i := range c.options.Servers {
		port, err := c.ports.next(ctx)
		if err != nil {
			return err
		}
		c.proxy.Servers = append(c.proxy.Servers, Endpoint{Name: "hal9-" + strconv.Itoa(i+1), Address: address(port)})
	}
	text, err := c.proxy.Text()
	if err != nil {
		return err
	}
	file, err := c.home.WriteFile("haproxy.cfg", text)
	if err != nil {
		return err
	}
	c.API, c.Stats = "http://"+c.proxy.API, "http://"+c.proxy.Stats
	c.Database = "postgres://postgres@" + c.proxy.Primary + "/hal9?sslmode=disable"
	c.Replicas = "postgres://postgres@" + c.proxy.Replicas + "/hal9?sslmode=disable"
	c.HAProxy, err = servers.StartProgram(ctx, servers.Program{
		Name: "haproxy", Log: c.log("haproxy"), Command: []string{c.programs.haproxy, "-db", "-f", file},
		Ready: func(ctx context.Context) error { return wants200(ctx, "GET", c.Stats) },
	})
	if err != nil {
		return err
	}
	return Until(ctx, func() error { return c.onePrimary(ctx) })
}

// prepareDatabase makes the database, behind HAProxy, and its schema.
func (c *Cluster) prepareDatabase(ctx context.Context) error {
	err := Until(ctx, func() error {
		conn, err := pgx.Connect(ctx, "postgres://postgres@"+c.proxy.Primary+"/postgres?sslmode=disable")
		if err != nil {
			return fmt.Errorf("connect to the primary: %w", err)
		}
		_, err = conn.Exec(ctx, "CREATE DATABASE hal9")
		return errors.Join(err, conn.Close(ctx))
	})
	if err == nil && c.options.Statements {
		err = c.countStatements(ctx)
	}
	if err != nil {
		return err
	}
	return c.Run(ctx, c.options.Hal9, "migrate", "up")
}

// LookAt returns a text that tells where everything is.
func (c *Cluster) LookAt(w io.Writer) {
	fmt.Fprintf(w, "\n  API            %s/api/v1    docs: %[1]s/docs\n", c.API)
	for _, s := range c.Servers {
		fmt.Fprintf(w, "  %-14s %s    pid %d\n", s.Name, s.URL, s.Process.PID())
	}
	fmt.Fprintf(w, "  PostgreSQL     psql '%s'    standbys: %s\n", c.Database, c.proxy.Replicas)
	for _, n := range c.Nodes {
		fmt.Fprintf(w, "  %-14s 127.0.0.1:%d    Patroni http://127.0.0.1:%d/cluster, pid %d\n", n.Name, n.port, n.rest, n.Patroni.PID())
	}
	fmt.Fprintf(w, "  cache          %s\n  HAProxy        %s\n  logs           %s\n", c.CacheURL, c.Stats, filepath.Join(c.Dir(), "logs"))
	fmt.Fprintf(w, "\nCtrl+C, or kill %d, ends all of it.\n", os.Getpid())
}
