package server

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"github.com/hal9-ai/hal9/auth"
)

// access says who may call a route. The zero value says nothing, and no server is
// made with a route that says nothing.
type access struct {
	kind accessKind
	// scopes are needed, all of them, where kind is accessScope, and from an API key
	// where it is accessOwnKeys.
	scopes auth.ScopeSet
	// closed keeps out in open mode too who shows no credential.
	closed bool
	// probe is for machines that must get through: no limit on requests.
	probe bool
	lane  lane
}

// lane is how many requests may be under way beside one to this route.
type lane int

const (
	// laneGeneral has the bound of limits.requests.
	laneGeneral lane = iota
	// laneAdmin has a few places of its own: who looks after the server must get
	// through, and is few.
	laneAdmin
	// laneFree has no bound here: probes, and streams, which last and have limits of
	// their own.
	laneFree
)

type accessKind int

const (
	// accessPublic lets everybody in and looks at no credential: a stale token must
	// not keep its owner from logging in, nor a lame database from answering probes.
	accessPublic accessKind = iota + 1
	// accessScope asks for scopes; in open mode also nobody comes in, unless closed.
	accessScope
	// accessAccount is for what belongs to who asks.
	accessAccount
	// accessOwnKeys is for the keys of who asks: after a login, or with a key that
	// may manage keys.
	accessOwnKeys
	// accessLogin is for what belongs to who asks, and what a leaked key must not
	// reach: after a login alone.
	accessLogin
)

func public() access { return access{kind: accessPublic} }

// probe is public and not limited.
func probe() access { return access{kind: accessPublic, probe: true, lane: laneFree} }

// scoped asks for all the scopes, and for nothing in open mode.
func scoped(scopes ...auth.Scope) access {
	return access{kind: accessScope, scopes: auth.NewScopeSet(scopes...)}
}

// closed asks for all the scopes in both modes: for who looks after the server.
func closed(scopes ...auth.Scope) access {
	return access{kind: accessScope, scopes: auth.NewScopeSet(scopes...), closed: true, lane: laneAdmin}
}

// in puts the route into a lane.
func (a access) in(l lane) access {
	a.lane = l
	return a
}

func ownAccount() access { return access{kind: accessAccount, closed: true} }

func ownKeys() access {
	return access{kind: accessOwnKeys, scopes: auth.NewScopeSet(auth.ScopeManageAPIKeys), closed: true}
}

func ownLogin() access { return access{kind: accessLogin, closed: true} }

// handle adds a route that is no operation of the document: huma's types do not
// describe it, or it is no part of the API.
func (s *Server) handle(method, path string, a access, handler gin.HandlerFunc) {
	s.declare(method, path, a)
	s.router.Handle(method, path, handler)
}

// declare notes who may call a route; path is as gin writes it.
func (s *Server) declare(method, path string, a access) {
	s.access[routeKey{method, path}] = &a
}

// checkAccess finds a route that does not say who may call it.
func (s *Server) checkAccess() error {
	for _, r := range s.router.Routes() {
		if a := s.access[routeKey{r.Method, r.Path}]; a == nil || a.kind == 0 {
			return fmt.Errorf("%s %s does not say who may call it", r.Method, r.Path)
		}
	}
	return nil
}

// authorize finds out who asks, holds him to the limits, and lets him through if the
// route is for him. Paths that are no routes are answered alike to all.
func (s *Server) authorize(c *gin.Context) {
	a := infoOf(c.Request.Context()).access
	if a != nil && a.probe {
		c.Next()
		return
	}
	var p auth.Principal
	var refusal, limited *problem
	if a != nil && a.kind != accessPublic {
		p, refusal, limited = s.identifyWithin(c)
	} else {
		limited = s.limits.take(c, &p, s.now())
	}
	if limited != nil {
		limited.abort(c)
		return
	}
	if refusal == nil && a != nil {
		refusal = s.judge(a, &p)
	}
	if refusal != nil {
		refusal.abort(c)
		return
	}
	if p.Known() {
		c.Request = c.Request.WithContext(auth.WithPrincipal(c.Request.Context(), p))
	}
	c.Next()
}

// judge says why somebody may not call a route, nil if he may. Who shows a credential
// is judged by it in either mode: a key that may only read only reads, wherever.
func (s *Server) judge(a *access, p *auth.Principal) *problem {
	if a.kind == accessPublic {
		return nil
	}
	if !p.Known() {
		if s.cfg.AuthMode == AuthOpen && !a.closed {
			return nil
		}
		return unauthenticated("this needs an account: send an access token or an API key as Authorization: Bearer, or an API key as X-API-Key", "")
	}
	loggedIn := p.SessionID != (auth.Principal{}).SessionID
	switch {
	case a.kind == accessAccount, a.kind == accessOwnKeys && loggedIn:
		return nil
	case a.kind == accessLogin && !loggedIn:
		return newProblem(http.StatusForbidden, "an API key may not do this; log in and send the access token")
	}
	if missing := a.scopes &^ p.Scopes; missing != 0 {
		names := missing.List()
		return newProblem(http.StatusForbidden, "this needs the scope "+strings.Join(names, " and ")+"").
			with("WWW-Authenticate", `Bearer realm="hal9", error="insufficient_scope", scope="`+strings.Join(names, " ")+`"`)
	}
	return nil
}

// unauthenticated is the 401 with its challenge (RFC 6750, section 3).
func unauthenticated(detail, code string) *problem {
	challenge := `Bearer realm="hal9"`
	if code != "" {
		challenge += `, error="` + code + `"`
	}
	return newProblem(http.StatusUnauthorized, detail).with("WWW-Authenticate", challenge)
}

// principalOf is who asks. Handlers of routes that are not open call it: there is one.
func principalOf(ctx context.Context) auth.Principal {
	p, _ := auth.PrincipalFrom(ctx)
	return p
}

// securityOf is what the document says of a route's access. The empty requirement
// stands for no credential.
func (s *Server) securityOf(a *access) []map[string][]string {
	nobody := map[string][]string{}
	if a.kind == accessPublic {
		return []map[string][]string{nobody}
	}
	scopes := a.scopes.List()
	required := []map[string][]string{{schemeBearer: scopes}}
	if a.kind != accessLogin {
		required = append(required, map[string][]string{schemeKey: scopes})
	}
	if s.cfg.AuthMode == AuthOpen && !a.closed {
		return append([]map[string][]string{nobody}, required...)
	}
	return required
}

// sentence tells in the document who may call.
func (a *access) sentence() string {
	switch a.kind {
	case accessScope:
		needs := "Needs the scope " + strings.Join(a.scopes.List(), " and ")
		if a.closed {
			return needs + ", in open mode too."
		}
		return needs + "; in open mode, no credential."
	case accessAccount:
		return "Needs an account."
	case accessOwnKeys:
		return "Needs a login, or an API key with the scope " + string(auth.ScopeManageAPIKeys) + "."
	case accessLogin:
		return "Needs a login: API keys are refused."
	default:
		return "Needs no credential."
	}
}

// The names of the ways to show a credential.
const (
	schemeBearer = "bearer"
	schemeKey    = "apiKey"
)

func securitySchemes() map[string]*huma.SecurityScheme {
	return map[string]*huma.SecurityScheme{
		schemeBearer: {
			Type: "http", Scheme: "bearer",
			Description: "The access token that AccountLogin gives, or an API key.",
		},
		schemeKey: {
			Type: "apiKey", In: "header", Name: headerAPIKey,
			Description: "An API key that APIKeyCreate or `hal9 admin create-key` gives.",
		},
	}
}
