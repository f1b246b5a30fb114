// Command testenv runs a command with the servers that the tests need:
//
//	testenv run [--durable] [--shared-buffers SIZE] [--pooler] -- go test ./...
//
// It uses the servers that HAL9_TEST_POSTGRES_URL and HAL9_TEST_CACHE_URL name,
// otherwise it starts private ones and sets both variables for the command. A
// server that is not installed is installed with apt-get: as root at once, on a
// terminal after asking; otherwise testenv fails and prints the command. It
// passes signals on to the command, ends the servers after it and exits with
// its code.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/hal9-ai/hal9/internal/testenv/servers"
)

const usage = "usage: testenv run [--durable] [--shared-buffers SIZE] [--pooler] -- COMMAND [ARGUMENT...]"

// Exit codes of testenv's own, as shells and make know them.
const (
	exitFailed = 1
	exitUsage  = 2
	// exitNotStarted is for a command that cannot be started.
	exitNotStarted = 127
	// exitSignal is added to the number of the signal that ended the command.
	exitSignal = 128
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stderr))
}

// run returns the exit code.
func run(args []string, stdin *os.File, stderr io.Writer) int {
	flags := flag.NewFlagSet("testenv run", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, usage)
		flags.PrintDefaults()
	}
	durable := flags.Bool("durable", false, "keep PostgreSQL's durable settings, for benchmarks")
	buffers := flags.String("shared-buffers", "", "what PostgreSQL sets aside for data, as in 4GB; 128MB by default")
	pooler := flags.Bool("pooler", false, "see to it that PgBouncer is installed")
	if len(args) == 0 || args[0] != "run" {
		fmt.Fprintln(stderr, usage)
		return exitUsage
	}
	if err := flags.Parse(args[1:]); err != nil {
		return exitUsage
	}
	if flags.NArg() == 0 {
		fmt.Fprintln(stderr, usage)
		return exitUsage
	}

	signals := make(chan os.Signal, 8)
	handled := []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT}
	signal.Notify(signals, handled...)
	defer signal.Stop(signals)
	// Until the command runs, a signal ends the start of the servers.
	ctx, cancel := signal.NotifyContext(context.Background(), handled...)
	defer cancel()

	env := &environment{
		durability: servers.Durability(*durable),
		buffers:    *buffers,
		pooler:     *pooler,
		installer:  servers.NewInstaller(stdin, stderr),
	}
	variables, err := env.start(ctx)
	code := exitFailed
	if err == nil {
		code, err = command(ctx, flags.Args(), variables, signals)
	}
	if err = errors.Join(err, env.stop()); err != nil {
		fmt.Fprintln(stderr, "testenv:", err)
		if code == 0 {
			code = exitFailed
		}
	}
	return code
}

// command runs the command to its end and returns its exit code. It is not
// ended with the context, but gets the signals.
func command(ctx context.Context, args, variables []string, signals <-chan os.Signal) (int, error) {
	cmd := exec.CommandContext(context.WithoutCancel(ctx), args[0], args[1:]...) //nolint:gosec // to run it is the purpose
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), variables...)
	if err := cmd.Start(); err != nil {
		return exitNotStarted, fmt.Errorf("start the command: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case received := <-signals:
			// The command may have ended meanwhile; that is told next.
			_ = cmd.Process.Signal(received)
		case err := <-ended:
			return exitCode(err)
		}
	}
}

func exitCode(err error) (int, error) {
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		if err != nil {
			return exitFailed, fmt.Errorf("wait for the command: %w", err)
		}
		return 0, nil
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return exitSignal + int(status.Signal()), nil
	}
	return exit.ExitCode(), nil
}

// environment is the servers of one run.
type environment struct {
	durability servers.Durability
	buffers    string // empty for the default
	pooler     bool
	installer  *servers.Installer
	started    []*servers.Server
}

// start checks the servers that are given, starts the others and returns the
// variables that name them.
func (e *environment) start(ctx context.Context) ([]string, error) {
	postgres, err := servers.GivenPostgres(ctx)
	if err != nil {
		return nil, err
	}
	cache, err := servers.GivenCache(ctx)
	if err != nil {
		return nil, err
	}
	if err := e.install(ctx, postgres == "", cache == ""); err != nil {
		return nil, err
	}

	var variables []string
	if postgres == "" {
		var settings []string
		if e.buffers != "" {
			settings = append(settings, "shared_buffers="+e.buffers)
		}
		server, err := servers.StartPostgres(ctx, e.durability, settings...)
		if err != nil {
			return nil, err
		}
		e.started = append(e.started, server)
		variables = append(variables, servers.PostgresVariable+"="+server.URL())
	}
	if cache == "" {
		server, err := servers.StartCache(ctx)
		if err != nil {
			return nil, err
		}
		e.started = append(e.started, server)
		variables = append(variables, servers.CacheVariable+"="+server.URL())
	}
	return variables, nil
}

// install installs the servers that are to be started and are missing.
func (e *environment) install(ctx context.Context, postgres, cache bool) error {
	var errs []error
	if postgres {
		_, err := servers.FindPostgres(ctx)
		errs = append(errs, err)
	}
	if cache {
		_, err := servers.FindCache()
		errs = append(errs, err)
	}
	if e.pooler {
		_, err := servers.FindPgBouncer()
		errs = append(errs, err)
	}
	var missing []*servers.MissingError
	for _, err := range errs {
		if absent, ok := errors.AsType[*servers.MissingError](err); ok {
			missing = append(missing, absent)
		} else if err != nil {
			return err
		}
	}
	return e.installer.Ensure(ctx, missing...)
}

// stop ends the private servers.
func (e *environment) stop() error {
	errs := make([]error, 0, len(e.started))
	for _, server := range e.started {
		errs = append(errs, server.Stop())
	}
	return errors.Join(errs...)
}
