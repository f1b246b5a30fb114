package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// maxHeaderBytes bounds what a client may send before its body.
const maxHeaderBytes = 64 << 10

// ErrNoDrain is the cause with which a context ends that wants no drain delay: a person
// waits, and no balancer. Commands tell it to who pressed Ctrl+C.
var ErrNoDrain = errors.New("interrupted")

// Serve answers on the listener until ctx ends, then shuts down: readiness goes off,
// requests are still taken for the drain delay, unless the cause is ErrNoDrain, those
// under way are finished, within the shutdown timeout. It closes the listener, and returns nil after a clean
// shutdown.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	if err := s.checkListener(ln); err != nil {
		return errors.Join(err, ln.Close())
	}
	var late newcomers
	server := &http.Server{
		Handler:           s.Handler(),
		ConnContext:       withConn,
		ReadHeaderTimeout: s.cfg.ReadHeaderTimeout,
		ReadTimeout:       s.cfg.ReadTimeout,
		// From the end of the headers: the body, the work, and time to take the answer.
		WriteTimeout:   s.cfg.ReadTimeout + s.cfg.RequestTimeout + 5*time.Second,
		IdleTimeout:    s.cfg.IdleTimeout,
		MaxHeaderBytes: maxHeaderBytes,
		// OPTIONS * is answered as any other path that is none, and counted and logged.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		ConnState: func(conn net.Conn, state http.ConnState) {
			s.countConn(conn, state)
			s.noteState(conn, state)
			if !s.ready.Load() {
				late.note(conn, state)
			}
		},
	}
	if s.cache.manager != nil {
		sampling, stop := context.WithCancel(context.WithoutCancel(ctx))
		sampled := make(chan struct{})
		go func() { defer close(sampled); s.cache.run(sampling, s.now) }()
		defer func() { stop(); <-sampled }()
	}
	watch := newDeadlineWatch(&s.unread, server.ReadHeaderTimeout, server.ReadTimeout, server.WriteTimeout, server.IdleTimeout, s.cfg.BulkIdleTimeout)
	watchEnded, stopWatch := make(chan struct{}), make(chan struct{})
	watch.refuse = s.refusal
	go func() { defer close(watchEnded); watch.run(stopWatch) }()
	defer func() { close(stopWatch); <-watchEnded }()
	ln = &deadlineListener{ln, watch}
	if s.certs != nil {
		watching, stop := context.WithCancel(context.WithoutCancel(ctx))
		watched := make(chan struct{})
		go func() { defer close(watched); s.certs.watch(watching, s.cfg.TLSReload) }()
		defer func() { stop(); <-watched }()
		server.TLSConfig = s.certs.config()
		shaking := newHandshakeListener(ctx, s, ln, server.TLSConfig, s.cfg.ReadHeaderTimeout)
		defer shaking.stop()
		ln = shaking
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	select {
	case err := <-served:
		s.ready.Store(false)
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	close(watch.hurry)
	return s.shutdown(ctx, server, ln, &late, served)
}

func (s *Server) shutdown(ctx context.Context, server *http.Server, ln net.Listener, late *newcomers, served <-chan error) error {
	delay := s.cfg.DrainDelay
	if errors.Is(context.Cause(ctx), ErrNoDrain) {
		delay = 0
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.ShutdownTimeout)
	defer cancel()
	s.ready.Store(false)
	s.log.LogAttrs(ctx, slog.LevelInfo, "shutting down",
		slog.String("drain_delay", delay.String()), slog.String("timeout", s.cfg.ShutdownTimeout.String()))
	if delay > 0 {
		drained := time.NewTimer(delay)
		defer drained.Stop()
		select {
		case <-drained.C:
		case err := <-served:
			return fmt.Errorf("serve: %w", err)
		}
	}
	if err := ln.Close(); err != nil {
		return fmt.Errorf("close the listener: %w", err)
	}
	if err := <-served; !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	s.stop()
	late.wait(ctx, s.newcomerTimeout)
	if err := server.Shutdown(ctx); err != nil {
		return fmt.Errorf("shut down: requests under way did not end within server.shutdown_timeout: %w", errors.Join(err, server.Close()))
	}
	return nil
}

// checkListener refuses to show open mode to other machines.
func (s *Server) checkListener(ln net.Listener) error {
	if s.cfg.AuthMode != AuthOpen {
		return nil
	}
	if _, ok := ln.Addr().(*net.UnixAddr); ok {
		return nil
	}
	addr, err := netip.ParseAddrPort(ln.Addr().String())
	if err != nil || !addr.Addr().Unmap().IsLoopback() {
		return fmt.Errorf("%s is no loopback address, and auth.mode open serves this machine alone: set server.listen to 127.0.0.1:8080, or auth.mode to required", ln.Addr())
	}
	return nil
}
