package server_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/server"
)

// What answers repeat of a request is bounded: names of megabytes, and hundreds of
// thousands of faults.
func TestFaultsAreBounded(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine)
	const bound = 300 << 10
	long := strings.Repeat("ñ", 500_000)
	many := &strings.Builder{}
	for i := range 50_000 {
		fmt.Fprintf(many, `,"u%d":1`, i)
	}
	for name, call := range map[string]func() response{
		"one long name":  func() response { return s.ask("POST", "/api/v1/signal", `{"content":"x","layer":"L3","`+long+`":1}`) },
		"one long value": func() response { return s.ask("POST", "/api/v1/signal", `{"content":"x","layer":"`+long[:200]+`"}`) },
		"many names": func() response {
			return s.ask("POST", "/api/v1/signal", `{"content":"x","layer":"L3"`+many.String()+`}`)
		},
		"long in array": func() response {
			return s.ask("POST", "/api/v1/signals", `[{"content":"x","layer_to":"L3","`+long+`":1}]`)
		},
		"long in a query": func() response { return s.ask("GET", "/api/v1/neurons?"+strings.Repeat("x", 50_000)+"=1", "") },
	} {
		if r := call(); r.status != 422 || len(r.body) > bound {
			t.Errorf("%s: %d with %d bytes", name, r.status, len(r.body))
		}
	}
	line := `{"content":"x","layer_to":"L3","` + long + `":1}` + "\n"
	if r := s.bulk(strings.NewReader(strings.Repeat(line, 20))); r.status != 207 || len(r.body) > bound {
		t.Errorf("stream: %d with %d bytes", r.status, len(r.body))
	}
	u := s.user("ann", "user")
	body := `{"name":"k","permissions":["` + long + `"]}`
	if r := s.ask("POST", "/api/v1/auth/api-keys", body, "Authorization", "Bearer "+s.login(u).AccessToken); r.status != 422 || len(r.body) > bound {
		t.Errorf("scope: %d with %d bytes", r.status, len(r.body))
	}
}

// A few kilobytes that unpack to blank lines without end do not keep the server busy.
func TestBulkBlankLinesAreBounded(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine, smallChunks)
	var packed bytes.Buffer
	z, err := zstd.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	lines, blank := bulkLines(s, 10), strings.Repeat("\n", 1<<20)
	for _, part := range []string{lines, blank, blank, blank, lines} {
		if _, err := z.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	r := s.bulk(&packed, "Content-Encoding", "zstd").problem(413, "blank lines")
	if a := decode[struct{ Data bulkAnswer }](r).Data; a.Complete || a.Inserted != 10 || a.Resume.Line < 11 {
		t.Errorf("%+v", a)
	}
	// As many as somebody may have between signals are passed over.
	s.bulk(strings.NewReader(blank[1:]+bulkLines(s, 10)+blank[1:])).want(200, `"inserted":10`)
}

// A body in a coding that the route does not undo is refused as that, not as bad JSON.
func TestContentEncodingIsRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine)
	s.ask("POST", "/api/v1/signal", "\x1f\x8b", "Content-Encoding", "gzip").problem(415, "Content-Encoding")
	s.ask("POST", "/api/v1/signal", `{"content":"x","layer":"L4"}`, "Content-Encoding", "identity").want(200)
}

// claimless fails a test in which a key is claimed.
type claimless struct {
	model.Store

	t *testing.T
}

// IdempotencyKeyClaim implements model.Store.
func (s *claimless) IdempotencyKeyClaim(ctx context.Context, arg model.IdempotencyKeyClaimParams) (model.IdempotencyKey, error) {
	s.t.Error("a key is claimed")
	return s.Store.IdempotencyKeyClaim(ctx, arg)
}

// A request that was refused because registration is closed is refused so again, and makes
// the database write nothing.
func TestIdempotencyOfClosedRegistration(t *testing.T) {
	t.Parallel()
	onEnginesWith(t, func(_ *testing.T, s *harness) {
		for range 2 {
			s.ask("POST", "/api/v1/auth/register", `{"username":"eve","password":"correct horse"}`, keyHeader, "k").problem(403, "registration is closed")
		}
	}, func(d *server.Deps) {
		d.Auth = newClosedAuth(t, d.Store)
		d.Store = &claimless{d.Store, t}
	})
}

// A cursor that nobody handed out is told to be none, whatever it holds.
func TestTextCursorWithNUL(t *testing.T) {
	t.Parallel()
	onEngines(t, func(_ *testing.T, s *harness) {
		s.ask("GET", "/api/v1/neurons?cursor=AW5hAGI", "").problem(422, "query.cursor")
	})
}

func newClosedAuth(t *testing.T, st model.Store) *auth.Service {
	t.Helper()
	a, err := auth.New(auth.Config{Store: st, RegistrationClosed: true})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// A stream that is under way ends when its sender loses the right to send it; what was
// committed before is told.
func TestBulkEndsWithItsCredential(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(s *harness, u testUser, g grant, keyID string){
		"key revoked": func(s *harness, _ testUser, g grant, keyID string) {
			s.ask("PUT", "/api/v1/auth/api-keys/"+keyID, "", bearer(g.AccessToken)...).want(200)
		},
		"owner inactive": func(s *harness, u testUser, _ grant, _ string) {
			inactive := false
			if _, err := s.auth.UserUpdate(s.t.Context(), auth.Principal{}, u.id, auth.UserUpdateParams{IsActive: &inactive}); err != nil {
				s.t.Fatal(err)
			}
		},
		"owner a guest": func(s *harness, u testUser, _ grant, _ string) {
			role := auth.RoleGuest
			if _, err := s.auth.UserUpdate(s.t.Context(), auth.Principal{}, u.id, auth.UserUpdateParams{Role: &role}); err != nil {
				s.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEnginesWith(t, func(t *testing.T, s *harness) {
				s.user("root", auth.RoleAdmin) // somebody may be made inactive
				u := s.user("ann", auth.RoleUser)
				g := s.login(u)
				made := data[struct{ ID, Key string }](s.ask("POST", "/api/v1/auth/api-keys", `{"name":"k"}`, bearer(g.AccessToken)...).want(201))
				from, to := io.Pipe()
				answered := make(chan response, 1)
				go func() { answered <- s.bulk(from, bearer(made.Key)...) }()
				lines := bulkLines(s, 21) // three chunks
				send(t, to, lines)
				eventually(t, func() bool { return s.storedSignals() == 21 })
				take(s, u, g, made.ID)
				s.clock.Advance(time.Minute)
				send(t, to, bulkLines(s, 7))
				r := <-answered
				_ = to.Close()
				status := 401
				if name == "owner a guest" {
					status = 403
				}
				a := decode[struct{ Data bulkAnswer }](r.problem(status)).Data
				if a.Complete || a.Inserted != 21 || a.Resume.Line != 22 || s.storedSignals() != 21 {
					t.Errorf("%+v", a)
				}
			}, smallChunks)
		})
	}
}

// An access token that expires takes no stream along: its session goes on.
func TestBulkOutlivesAnAccessToken(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine, smallChunks)
	g := s.login(s.user("ann", auth.RoleUser))
	from, to := io.Pipe()
	answered := make(chan response, 1)
	go func() { answered <- s.bulk(from, bearer(g.AccessToken)...) }()
	send(t, to, bulkLines(s, 7))
	eventually(t, func() bool { return s.storedSignals() == 7 })
	s.clock.Advance(time.Hour)
	send(t, to, bulkLines(s, 7))
	_ = to.Close()
	(<-answered).want(200, `"inserted":14`)
}

func send(t *testing.T, to io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(to, text); err != nil {
		t.Fatal(err)
	}
}

// A refusal that is about no single field names the thing alone.
func TestTooManyKeys(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine)
	u := s.user("ann", auth.RoleUser)
	for range 100 {
		s.key(u)
	}
	r := s.ask("POST", "/api/v1/auth/api-keys", `{"name":"k"}`, bearer(s.login(u).AccessToken)...).problem(409, "api_key: there are 100 already; delete one first")
	if strings.Contains(r.body, "api_key.") {
		t.Error(r.body)
	}
}

// Broken JSON is told by its place: what stands there may be a password.
func TestBrokenStringsDoNotComeBack(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine)
	for _, broken := range []string{`\ud800Hush`, `\ud800\uHush`, `\Hush`, `\uHush`, "\xffHush", "Hu\x01sh"} {
		r := s.ask("POST", "/api/v1/auth/login", `{"username":"ann","password":"`+broken+`"}`).problem(400, "invalid JSON at byte")
		if strings.Contains(r.body, "Hu") || strings.Contains(s.log.String(), "Hu") {
			t.Errorf("%q: %s", broken, r.body)
		}
	}
}

// A time in another form is told how to be written.
func TestTimesInAQuery(t *testing.T) {
	t.Parallel()
	s := newServer(t, sqliteEngine)
	for _, since := range []string{"yesterday", "2026-01-01", "1767225600"} {
		s.ask("GET", "/api/v1/signals?since="+since, "").problem(422, "query.since", "such as 2026-01-31T12:00:00Z")
	}
}
