package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"golang.org/x/sync/errgroup"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/ingest"
	"github.com/hal9-ai/hal9/internal/config"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/server"
)

// SignalsCmd groups the commands about signals.
type SignalsCmd struct {
	Load SignalsLoadCmd `cmd:"" help:"Store a file of signals."`
}

// SignalsLoadCmd stores a file of signals.
type SignalsLoadCmd struct {
	File       string `arg:"" name:"FILE" help:"One signal a line as JSON (NDJSON), plain or compressed by gzip or zstd; - is standard input."`
	FromOffset int64  `help:"Begin at this byte, counted after undoing the compression: where an earlier load stopped." placeholder:"N"`
	FromLine   int64  `help:"The number of the line that begins there." placeholder:"N"`
	Output
	Settings
}

const signalsLoad = "hal9 signals load"

// Help describes the command.
func (SignalsLoadCmd) Help() string {
	return `Stores them in the database itself, in chunks, with memory that does not grow with the file, whether a server is running or not. The fields are those of POST /api/v1/signals. A bad line fails alone and is reported. Give each signal an id (UUIDv7), and loading the file again stores nothing twice.

If it stops early it tells where to go on. Lines before that are decided: stored, or failed for good.

Exits with 0 if all lines are stored, 1 if some failed or it stopped early, 2 for wrong usage or configuration, 3 if the database does not answer, and 4 if migrations are pending.

Example:

    hal9 signals load signals.ndjson.zst
    hal9 signals load signals.ndjson --from-offset 40928 --from-line 1002
    jq -c '.[]' array.json | hal9 signals load -`
}

// Run stores the file.
func (c *SignalsLoadCmd) Run(g *Globals) (err error) {
	if c.FromOffset < 0 || c.FromLine < 0 {
		return usageError(errors.New("--from-offset and --from-line must not be negative"), signalsLoad)
	}
	cfg, err := g.LoadConfig(c.Settings)
	if err != nil {
		return err
	}
	if err := refuseMemory(cfg, "is gone when the load ends"); err != nil {
		return err
	}
	file, size, err := c.open(g)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	st, err := openStore(g.Context, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStore(st)) }()

	in := ingest.New(ingest.Config{Store: st, MaxBatch: cfg.Ingest.MaxBatch, MaxQueue: cfg.Ingest.QueueLength})
	srv, err := newLoader(cfg, st, in)
	if err != nil {
		return err
	}
	started := time.Now()
	progress := showSignals(g.Stderr, c.File, size)
	result, loadErr := c.load(g.Context, srv, in, progress.reader(file), progress.committed)
	progress.stop()
	if err := c.print(g.Stdout, result, func(w io.Writer) error { return writeLoad(w, result, time.Since(started)) }); err != nil {
		return errors.Join(loadErr, err)
	}
	switch {
	case loadErr != nil:
		return &ExitError{
			Code: exitFailure, Err: fmt.Errorf("stopped early: %w", loadErr),
			Hint: fmt.Sprintf("Go on with: %s FILE --from-offset %d --from-line %d", signalsLoad, result.Resume.Offset, result.Resume.Line),
		}
	case result.Failed > 0:
		return fmt.Errorf("lines that failed: %d", result.Failed)
	default:
		return nil
	}
}

// open opens the file; the size is 0 where it is not known.
func (c *SignalsLoadCmd) open(g *Globals) (io.ReadCloser, int64, error) {
	if c.File == "-" {
		return io.NopCloser(g.Stdin), 0, nil
	}
	f, err := os.Open(c.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, usageError(fmt.Errorf("the file %q does not exist", c.File), signalsLoad)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("open the file: %w", err)
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = usageError(fmt.Errorf("%q is a directory; name a file", c.File), signalsLoad)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	if !info.Mode().IsRegular() {
		return f, 0, nil
	}
	return f, info.Size(), nil
}

// load stores the stream, and then what was counted at the neurons.
func (c *SignalsLoadCmd) load(ctx context.Context, srv *server.Server, in *ingest.Ingest, stream io.Reader, committed func(server.BulkResult)) (server.BulkResult, error) {
	const patience = 20 * time.Second
	var counting errgroup.Group
	beside := context.WithoutCancel(ctx)
	counting.Go(func() error { return in.Run(beside) })
	result, err := srv.LoadSignals(ctx, stream, server.BulkPosition{Offset: c.FromOffset, Line: c.FromLine}, committed)
	closing, cancel := context.WithTimeout(beside, patience)
	defer cancel()
	return result, errors.Join(err, in.Close(closing), counting.Wait())
}

// newLoader makes a server that listens nowhere: signals have one way in.
func newLoader(cfg *config.Config, st model.Store, in *ingest.Ingest) (*server.Server, error) {
	ids, set := model.NewIDGenerator(time.Now), metrics.NewSet()
	accounts, err := newAccounts(cfg, st, ids, slog.New(slog.DiscardHandler), set, auth.HashHere)
	if err != nil {
		return nil, err
	}
	srv, err := server.New(server.Deps{
		Config: serverConfig(cfg), Store: st, Ingest: in, Auth: accounts, IDs: ids, Metrics: set,
		Identities: ingest.Identities{IDs: ids, Clock: time.Now, Retention: cfg.Signals.Retention},
	})
	if err != nil {
		return nil, fmt.Errorf("prepare the load: %w", err)
	}
	return srv, nil
}

// writeLoad tells a person what became of a load.
func writeLoad(w io.Writer, r server.BulkResult, took time.Duration) error {
	for _, e := range r.Errors {
		place := fmt.Sprintf("line %d: ", e.Line)
		if e.Field != "" {
			place += e.Field + ": "
		}
		if _, err := fmt.Fprintln(w, place+e.Message); err != nil {
			return err //nolint:wrapcheck // print wraps it
		}
	}
	_, err := fmt.Fprintf(w, "%d signals: %d stored, %d stored before, %d failed; %.1f s, %.0f a second\n",
		r.Received, r.Inserted, r.Duplicates, r.Failed, took.Seconds(), float64(r.Received)/max(took.Seconds(), 0.001))
	return err //nolint:wrapcheck // print wraps it
}
