package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// readyServer answers /readyz with a status and anything else with 404.
func readyServer(t *testing.T, status int, body string) (address string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" || r.Method != http.MethodGet {
			http.NotFound(w, r)
			return
		}
		if status == http.StatusFound {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func TestHealthcheck(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		body   string
		code   int
		want   string
	}{
		"ready":     {http.StatusOK, "OK", exitOK, ""},
		"not ready": {http.StatusServiceUnavailable, "draining\x1b[2J\nmore", exitFailure, `is not ready: 503 Service Unavailable "draining\x1b[2J"`},
		"redirect":  {http.StatusFound, "", exitFailure, "is not ready: 302 Found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := readyServer(t, c.status, c.body)
			out := ""
			if c.code == exitOK {
				out = "ready\n"
			}
			hal9(t, nil, "healthcheck", "--server-listen="+address).want(t, c.code, out, c.want)
			hal9(t, []string{"HAL9_SERVER_LISTEN=" + address}, "healthcheck").want(t, c.code, out, c.want)
			hal9(t, nil, "healthcheck", "--url=http://"+address).want(t, c.code, out, c.want)
			hal9(t, nil, "healthcheck", "--url=http://"+address+"/readyz").want(t, c.code, out, c.want)
		})
	}
	address := readyServer(t, http.StatusOK, "")
	hal9(t, nil, "healthcheck", "--url=http://"+address+"/livez").want(t, exitFailure, "", "404")
}

func TestHealthcheckUnreachable(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	hal9(t, nil, "healthcheck", "--server-listen="+address).want(t, exitUnreachable, "", "does not answer: ")
	got := hal9(t, nil, "healthcheck", "--url=http://u:sekret@"+address)
	got.want(t, exitUnreachable, "", "http://"+address+"/readyz does not answer")
	if strings.Contains(got.errors, "sekret") {
		t.Errorf("a password is shown: %s", got.errors)
	}
}

func TestHealthcheckGivesUp(t *testing.T) {
	t.Parallel()
	// A server that accepts and never answers.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	address := listener.Addr().String()
	hal9(t, nil, "healthcheck", "--timeout=50ms", "--server-listen="+address).
		want(t, exitUnreachable, "", "does not answer: context deadline exceeded")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs strings.Builder
	if code := Run(ctx, []string{"healthcheck", "--timeout=1h", "--server-listen=" + address}, nil, &out, &errs, nil); code == exitOK {
		t.Error("an interrupted check succeeded")
	}
}
