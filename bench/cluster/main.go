// Cluster runs a whole installation on loopback, and tries what it bears.
//
//	cluster up       runs it until Ctrl+C
//	cluster test     kills its parts under load, and tells what was lost
//	cluster scaling  measures what a request costs with 1, 2 and 4 servers
//
// The programs are Debian's packages; docs/operations/cluster.md tells more.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hal9-ai/hal9/bench/cluster/ha"
	"github.com/hal9-ai/hal9/bench/ledger"
	"github.com/hal9-ai/hal9/internal/program"
)

func main() { program.Main("cluster", run) }

func run(ctx context.Context, args []string, _, _ io.Writer) error {
	command := "up"
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		command, args = args[0], args[1:]
	}
	o := ha.Options{Out: os.Stdout}
	t := trial{}
	load := ledger.Load{Workers: map[ledger.Kind]int{}}
	what := scaling{servers: []int{1, 2, 4}}
	beside := ""
	flags := flag.NewFlagSet("cluster "+command, flag.ContinueOnError)
	switch command {
	case "up", "test", "scaling":
		flags.StringVar(&o.Hal9, "hal9", "bin/hal9", "the program to run")
		flags.IntVar(&o.Servers, "servers", 2, "servers of hal9")
		flags.IntVar(&o.Nodes, "nodes", 3, "nodes of PostgreSQL")
		flags.BoolVar(&o.Strict, "strict", true, "let writes wait while there is no synchronous standby")
		flags.BoolVar(&o.Asynchronous, "async", false, "replicate asynchronously: a failover may lose acknowledged writes")
		flags.StringVar(&o.Cache, "cache", "sentinel", "sentinel, cluster, single or none")
		flags.BoolVar(&t.quick, "quick", false, "fewer events")
		flags.StringVar(&t.only, "only", "", "only the events whose name has this in it")
		flags.StringVar(&t.next, "next", "", "the program of the next release, for the rolling migration")
		flags.DurationVar(&t.duration, "duration", defaultStretch, "how long each number of servers is measured (scaling)")
		flags.Func("counts", "numbers of servers to measure, as in 1,4 (scaling)", func(text string) (err error) {
			what.servers, err = countsOf(text)
			return err
		})
		flags.StringVar(&what.load, "load", "", "only the loads whose name has this in it (scaling)")
		flags.StringVar(&beside, "beside", "", "another program of hal9, measured in turns with it (scaling)")
		flags.BoolVar(&what.statements, "statements", false, "list PostgreSQL's statements, which takes some of its time (scaling)")
	case "load":
		flags.StringVar(&load.URL, "url", "", "the server's address")
		flags.StringVar(&load.File, "file", "", "where to write the ledger")
		flags.Float64Var(&load.Rate, "rate", 20, "requests a second of each worker")
	default:
		return fmt.Errorf("there is no command %q: give up, test or scaling", command)
	}
	if err := flags.Parse(args); err != nil {
		return err //nolint:wrapcheck // the flag package has told it
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if command == "load" {
		for _, kind := range []ledger.Kind{ledger.Once, ledger.Again, ledger.Key, ledger.Own, ledger.Read} {
			load.Workers[kind] = workersOfEach
		}
		return load.Run(ctx)
	}
	if o.Servers < 1 || o.Nodes < 1 {
		return errors.New("--servers and --nodes must be 1 or more")
	}
	for _, path := range []*string{&o.Hal9, &t.next, &beside} {
		if *path == "" {
			continue
		}
		var err error
		if *path, err = filepath.Abs(*path); err != nil {
			return fmt.Errorf("find %s: %w", *path, err)
		}
	}
	switch command {
	case "test":
		return t.run(ctx, o)
	case "scaling":
		what.programs = []string{o.Hal9}
		if beside != "" {
			what.programs = []string{beside, o.Hal9}
		}
		return t.scale(ctx, o, what)
	default:
		return up(ctx, o)
	}
}

// countsOf reads numbers of servers.
func countsOf(text string) (counts []int, err error) {
	for field := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(field)
		if err != nil || n < 1 {
			return nil, errors.New("give whole numbers from 1, as in 1,4")
		}
		counts = append(counts, n)
	}
	return counts, nil
}

func up(ctx context.Context, o ha.Options) error {
	c, err := ha.Start(ctx, o)
	if err != nil {
		return err
	}
	c.LookAt(os.Stdout)
	<-ctx.Done()
	fmt.Println("\nending …") //nolint:forbidigo // a command's words
	return c.Stop()
}
