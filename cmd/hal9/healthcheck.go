package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hal9-ai/hal9/internal/config"
)

// HealthcheckCmd asks a server whether it is ready.
type HealthcheckCmd struct {
	Settings

	URL string `help:"Ask this address instead of server.listen; the path defaults to /readyz." placeholder:"URL"`

	Timeout time.Duration `default:"3s" help:"How long to wait for the answer (default 3s)." placeholder:"DURATION"`

	Output
}

// Help describes the command.
func (*HealthcheckCmd) Help() string {
	return `Sends GET /readyz and exits with 0 if the server is ready, 1 if it answers that it is not, and 3 if it does not answer.

Example, for a container's health check:

    hal9 healthcheck --timeout 2s`
}

// Run asks the server.
func (c *HealthcheckCmd) Run(g *Globals) error {
	target, err := c.target(g)
	if err != nil {
		return err
	}
	if c.Timeout <= 0 {
		return usageError(errors.New("--timeout must be longer than 0"), "hal9 healthcheck")
	}
	ctx, cancel := context.WithTimeout(g.Context, c.Timeout)
	defer cancel()
	if err := askReady(ctx, target, c.URL == ""); err != nil {
		return err
	}
	return c.line(g.Stdout, map[string]any{"ready": true, "url": shownURL(target)}, "ready")
}

// target returns the URL to ask. Its faults do not repeat --url, which may hold
// a password.
func (c *HealthcheckCmd) target(g *Globals) (string, error) {
	if c.URL == "" {
		loaded, err := g.LoadConfig(c.Settings)
		if err != nil {
			return "", err
		}
		return readyURL(loaded.Server)
	}
	flags, set, err := c.given()
	if err != nil {
		return "", err
	}
	if len(flags)+len(set) > 0 || c.file() != "" {
		return "", usageError(errors.New("--url leaves no use for --config, --set and --server-listen"), "hal9 healthcheck")
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", usageError(errors.New("--url is no HTTP address; write http://127.0.0.1:8080/readyz"), "hal9 healthcheck")
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/readyz"
	}
	return u.String(), nil
}

// readyURL turns a listen address into one that can be dialled.
func readyURL(s config.Server) (string, error) {
	host, port, err := net.SplitHostPort(s.Listen)
	if err != nil {
		return "", fmt.Errorf("read server.listen: %w", err)
	}
	if port == "0" {
		return "", &config.Error{
			Key: "server.listen", Problem: "port 0 means that the server chose one, which is not known here",
			Mend: "give the server's address by --url",
		}
	}
	if host == "" {
		host = "127.0.0.1"
	}
	if addr, err := netip.ParseAddr(host); err == nil && addr.IsUnspecified() {
		host = "127.0.0.1"
		if addr.Is6() {
			host = "::1"
		}
	}
	scheme := "http://"
	if s.TLSCert != "" {
		scheme = "https://"
	}
	return scheme + net.JoinHostPort(host, port) + "/readyz", nil
}

// askReady returns nil if the server says that it is ready. A server at this machine's
// own server.listen is not asked to prove its name: its certificate is for the name
// that clients use, and nothing secret is sent.
func askReady(ctx context.Context, target string, own bool) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return fmt.Errorf("ask the server: %w", err)
	}
	// No proxy: the question is whether this server answers. No redirect: a
	// login page elsewhere is no sign of readiness.
	transport := &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: own}, //nolint:gosec // said above
	}
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		// The url.Error around the cause repeats the address.
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return &ExitError{Code: exitUnreachable, Err: fmt.Errorf("%s does not answer: %w", shownURL(target), err)}
	}
	line, readErr := bufio.NewReader(io.LimitReader(resp.Body, 200)).ReadString('\n')
	if readErr != nil && !errors.Is(readErr, io.EOF) {
		line = ""
	}
	if err := resp.Body.Close(); err != nil {
		return fmt.Errorf("ask the server: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s is not ready: %s %s", shownURL(target), resp.Status, strconv.QuoteToGraphic(strings.TrimSpace(line)))
	}
	return nil
}

// shownURL is the address without credentials and parameters.
func shownURL(target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return "the server"
	}
	return u.Scheme + "://" + u.Host + u.Path
}
