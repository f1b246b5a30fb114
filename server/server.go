// Package server answers HTTP: the router, one file for each entity, one table from
// errors to answers, the middleware and the embedded pages. Handlers ask the store
// and the ingest for what they need and know no engine.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/trace"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/cacheutil"
	"github.com/hal9-ai/hal9/ingest"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/stream"
)

// Ingest is the door through which signals enter. Both methods answer after the
// commit; an *ingest.Ingest is one.
type Ingest interface {
	// Submit stores one signal.
	Submit(ctx context.Context, signal model.SignalInsertParams) (ingest.Result, error)
	// SubmitMany stores many; a bad row takes no other along.
	SubmitMany(ctx context.Context, signals []model.SignalInsertParams) (model.BulkResult, error)
	// Stats tells the figures about signals since the start of this server.
	Stats() ingest.Stats
}

// Build tells what this program was built from.
type Build struct {
	Version  string
	Commit   string
	Time     string
	Go       string
	Platform string
}

// Deps is what a server works with. Store, Ingest and Auth are required.
type Deps struct {
	Config Config
	Store  model.Store
	Ingest Ingest
	// Auth keeps the accounts, in either mode.
	Auth *auth.Service
	// Stream is the feed of committed signals, which the ingest publishes to. One that
	// nobody publishes to by default.
	Stream *stream.Feed
	// Identities gives signals their ids and times. Made from IDs and Clock by
	// default.
	Identities ingest.Identities
	// IDs makes the ids of new rows.
	IDs *model.IDGenerator
	// Clock tells the time. time.Now by default.
	Clock func() time.Time
	// Logger discards by default.
	Logger *slog.Logger
	// Metrics is where the server registers its own. A new set by default.
	Metrics *metrics.Set
	// Later takes states of neurons that are stored later; nil: all are stored at once.
	Later Later
	// Tracer makes spans of requests; nil makes none.
	Tracer trace.Tracer
	// Cache is what Store is cached in, for its figures; nil without one.
	Cache *cacheutil.Manager
	// Consistency keeps what sessions wrote where the database has replicas; nil without.
	Consistency Consistency
	Build       Build
}

// Later accepts what is stored a moment later. queued is false where it cannot be, and
// the caller stores it.
type Later interface {
	NeuronSetState(ctx context.Context, arg model.NeuronSetStateParams) (n model.Neuron, queued bool, err error)
}

func (d Deps) withDefaults() Deps {
	d.Config = d.Config.WithDefaults()
	if d.Clock == nil {
		d.Clock = time.Now
	}
	if d.IDs == nil {
		d.IDs = model.NewIDGenerator(d.Clock)
	}
	if d.Identities.IDs == nil {
		d.Identities.IDs = d.IDs
	}
	if d.Identities.Clock == nil {
		d.Identities.Clock = d.Clock
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	if d.Metrics == nil {
		d.Metrics = metrics.NewSet()
	}
	if d.Stream == nil && d.Store != nil {
		d.Stream = stream.New(stream.Config{Store: d.Store, Clock: d.Clock, Logger: d.Logger, Metrics: d.Metrics})
	}
	setDefault(&d.Build.Version, "devel")
	return d
}

func (d *Deps) validate() error {
	if d.Store == nil {
		return errors.New("Deps.Store is missing")
	}
	if d.Ingest == nil {
		return errors.New("Deps.Ingest is missing")
	}
	if d.Auth == nil {
		return errors.New("Deps.Auth is missing")
	}
	return d.Config.validate()
}

// Server is the service over HTTP. It is made by New, safe for concurrent use, and
// owns neither the store nor the ingest: who made them closes them after Serve.
type Server struct {
	cfg        Config
	store      model.Store
	ingest     Ingest
	auth       *auth.Service
	identities ingest.Identities
	ids        *model.IDGenerator
	now        func() time.Time
	log        *slog.Logger
	metrics    *metrics.Set
	cache      *cacheRates
	encoded    encodedAnswers
	tracer     trace.Tracer // nil: no spans
	later      Later        // nil: nothing is stored later
	// consistency is nil where there are no replicas.
	consistency Consistency
	build       Build

	router   *gin.Engine
	api      huma.API
	document content // the OpenAPI document as it is served
	http     *httpMetrics

	bulkPlaces *bulkPlaces
	bulkActive *metrics.Gauge
	stream     *stream.Feed
	streams    *streamLimits
	direct     map[string]direct // by operation
	access     map[routeKey]*access
	loopback   atomic.Pointer[string] // the Host that was last found to be a loopback name
	limits     rateLimits
	conns      atomic.Int64 // open connections
	unread     atomic.Int64 // of them those left unread
	unreadable *unreadable
	general    *admission    // counts most requests
	admins     *admission    // counts those of laneAdmin
	shedBody   []byte        // the answer to who is not let in
	certs      *certificates // nil without TLS
	hsts       string        // the header's value, "" for none
	// secureHeaders are on all answers.
	secureHeaders []sharedHeader
	shared        sharedValues

	started time.Time
	// pageBytes bounds the texts of one answer.
	pageBytes int
	ready     atomic.Bool
	// newcomerTimeout is that of newcomers.
	newcomerTimeout time.Duration
	// stopping ends when streams, which may have no end of their own, are to stop.
	stopping context.Context //nolint:containedctx // a signal to all handlers, not the context of a call
	stop     context.CancelFunc
}

// New makes a server that serves nothing yet.
func New(d Deps) (*Server, error) {
	d = d.withDefaults()
	if err := d.validate(); err != nil {
		return nil, fmt.Errorf("make the server: %w", err)
	}
	s := &Server{
		cfg: d.Config, store: d.Store, ingest: d.Ingest, auth: d.Auth, identities: d.Identities, ids: d.IDs,
		now: d.Clock, log: d.Logger, metrics: d.Metrics, cache: &cacheRates{manager: d.Cache}, later: d.Later, consistency: d.Consistency, tracer: d.Tracer, build: d.Build, started: d.Clock(),
		direct: map[string]direct{}, access: map[routeKey]*access{}, limits: newRateLimits(d.Config.Limits, d.Metrics),
		secureHeaders: secureHeaders(), shared: newSharedValues(), shedBody: shedBody(),
	}
	s.unreadable = newUnreadable(d.Metrics, d.Config.TLSCert != "")
	d.Metrics.NewGauge("hal9_http_connections_unread", func() float64 { return float64(s.unread.Load()) })
	asks := func() int64 { return s.conns.Load() - s.unread.Load() }
	s.general = newAdmission("general", d.Config.Limits.Requests, d.Config.Limits.RequestsDelay, asks, d.Metrics)
	s.admins = newAdmission("admin", adminLane, 0, asks, d.Metrics)
	var err error
	if s.encoded, err = newEncodedAnswers(); err != nil {
		return nil, fmt.Errorf("make the server: %w", err)
	}
	if err := s.prepareTLS(); err != nil {
		return nil, fmt.Errorf("make the server: %w", err)
	}
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.bulkPlaces = newBulkPlaces(s.cfg.BulkStreams)
	s.bulkActive = s.metrics.NewGauge("hal9_ingest_bulk_streams", nil)
	s.stream, s.streams = d.Stream, newStreamLimits(&s.cfg, s.metrics)
	s.router = newRouter()
	s.router.Use(s.observe)
	if s.tracer != nil {
		s.router.Use(s.span)
	}
	s.router.Use(s.recover, s.secure, s.cors, s.guard, s.authorize, s.trackWrites)
	s.router.NoRoute(s.noRoute)
	s.router.NoMethod(s.noMethod)
	s.api = huma.NewAPI(s.apiConfig(), adapter{s.router, s})
	if err := s.register(); err != nil {
		return nil, fmt.Errorf("make the server: %w", err)
	}
	if err := s.checkAccess(); err != nil {
		return nil, fmt.Errorf("make the server: %w", err)
	}
	s.finishDocument()
	s.http = newHTTPMetrics(d.Metrics, s.router.Routes())
	s.newcomerTimeout, s.pageBytes = newcomerTimeout, maxPageBytes
	s.ready.Store(true)
	return s, nil
}

// newRouter returns gin without its own log, recovery and redirects.
func newRouter() *gin.Engine {
	// gin keeps its mode in one place for the whole process; only in release mode
	// does it leave the standard output alone.
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.HandleMethodNotAllowed = true
	r.RedirectTrailingSlash = false
	r.ForwardedByClientIP = false
	// An id may hold a slash, which comes as %2F.
	r.UseRawPath = true
	r.UnescapePathValues = false
	r.Use(unescapePath)
	return r
}

// register lists every route of the service. A new entity adds its line.
func (s *Server) register() error {
	s.registerHealth()
	s.registerStatus()
	s.registerMetrics()
	s.registerNeurons()
	s.registerSignals()
	s.registerMemories()
	s.registerAccounts()
	s.registerUsers()
	s.registerAudit()
	s.registerPartitions()
	if err := s.registerConsole(); err != nil {
		return err
	}
	return s.registerDocs()
}

// Routes lists what the router serves, as in "GET /api/v1/neurons/:id".
func (s *Server) Routes() []string {
	routes := s.router.Routes()
	list := make([]string, len(routes))
	for i, r := range routes {
		list[i] = r.Method + " " + r.Path
	}
	return list
}

// Handler answers the requests of one server.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serveHTTP) }

// serveHTTP answers HEAD as GET; net/http leaves the body out by itself, since it
// looks at its own request.
func (s *Server) serveHTTP(w http.ResponseWriter, r *http.Request) {
	taken(r.Context())
	if !s.ready.Load() {
		// Clients leave between two requests: a connection that is idle when the server
		// goes is closed just as the next request comes on it.
		w.Header().Set("Connection", "close")
	}
	if r.ProtoMajor == 1 && r.ProtoMinor == 0 {
		// net/http passes over Transfer-Encoding in HTTP/1.0, and does not tell: what may be
		// the rest of a body must not be read as the next request (RFC 9112, section 6.1).
		w.Header().Set("Connection", "close")
	}
	if r.Method == http.MethodHead {
		get := r.WithContext(context.WithValue(r.Context(), headKey{}, true))
		get.Method = http.MethodGet
		r = get
	}
	if !s.shedEarly(w, r) {
		s.router.ServeHTTP(w, r)
	}
}

// headKey marks a request whose method is HEAD, for answers that do not end by themselves.
type headKey struct{}

func isHead(ctx context.Context) bool { return ctx.Value(headKey{}) != nil }
