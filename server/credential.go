package server

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/hal9-ai/hal9/auth"
)

// headerAPIKey is in the spelling of the contract; net/http folds it to X-Api-Key.
const headerAPIKey = "X-API-Key" //nolint:gosec // the name of a header

// identifyWithin tells who sends a request, and charges it to his limit. A credential that
// was not good here before is charged to the address before it is looked up, and given back
// if it is good: an address that sends worthless ones costs no more look-ups than requests
// that it may send.
func (s *Server) identifyWithin(c *gin.Context) (p auth.Principal, refusal, limited *problem) {
	credential, shown, refusal := credentialOf(c.Request.Header)
	if !shown || refusal != nil {
		return p, refusal, s.limits.take(c, &p, s.now())
	}
	charged := !s.limits.isGood(credential)
	if charged {
		if limited = s.limits.take(c, &p, s.now()); limited != nil {
			return p, nil, limited
		}
	}
	p, refusal = s.identify(c.Request, credential)
	switch {
	case p.Known():
		info := infoOf(c.Request.Context())
		info.spent = time.Since(info.begun)
		s.limits.foundGood(c, credential, charged, s.now())
		limited = s.limits.take(c, &p, s.now())
	case charged:
	default:
		if refusal != nil && refusal.Status == http.StatusUnauthorized {
			s.limits.foundBad(credential)
		}
		limited = s.limits.take(c, &p, s.now())
	}
	return p, refusal, limited
}

// identify tells whose a credential is. One that is shown must be good, in either mode:
// who shows a revoked key learns of it instead of being served as nobody.
func (s *Server) identify(r *http.Request, credential string) (auth.Principal, *problem) {
	ctx := withTimeout(r.Context(), s.cfg.RequestTimeout)
	defer ctx.end()
	p, err := s.auth.Authenticate(ctx, credential) //nolint:contextcheck // it is the request's, with a deadline
	switch {
	case err == nil:
		return p, nil
	case errors.Is(err, auth.ErrUnauthenticated):
		return auth.Principal{}, unauthenticated("the credential is unknown, expired or revoked; log in again, or send another API key", "invalid_token")
	default:
		return auth.Principal{}, s.fail(ctx, err) //nolint:contextcheck // as above
	}
}

// renew tells why who sends a request that lasts may not go on with it, nil if he may.
func (s *Server) renew(ctx context.Context, route routeKey) error {
	p := principalOf(ctx)
	if !p.Known() {
		return nil // open mode; the mode does not change
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.RequestTimeout)
	defer cancel()
	p, err := s.auth.Renew(ctx, p)
	if errors.Is(err, auth.ErrUnauthenticated) {
		return unauthenticated("the credential was revoked while the request was under way", "invalid_token")
	}
	if err != nil {
		return err
	}
	if refusal := s.judge(s.access[route], &p); refusal != nil {
		return refusal
	}
	return nil
}

// credentialOf reads the credential of a request. Two that differ are refused: which
// of them counts must not depend on who reads.
func credentialOf(h http.Header) (credential string, shown bool, refusal *problem) {
	authorization, keys := h["Authorization"], h["X-Api-Key"]
	if len(authorization)+len(keys) == 0 {
		return "", false, nil
	}
	if len(authorization) > 1 || len(keys) > 1 {
		return "", true, newProblem(http.StatusBadRequest, "a credential is sent twice; send Authorization and X-API-Key once at the most")
	}
	if len(authorization) == 1 {
		scheme, token, _ := strings.Cut(authorization[0], " ")
		credential = strings.TrimSpace(token)
		if !strings.EqualFold(scheme, "Bearer") || credential == "" || strings.ContainsAny(credential, " \t") {
			return "", true, unauthenticated("Authorization must be Bearer and an access token or API key, with a space between them", "")
		}
	}
	if len(keys) == 1 {
		key := strings.TrimSpace(keys[0])
		switch {
		case key == "":
			return "", true, unauthenticated("X-API-Key is empty; give an API key", "")
		case len(authorization) == 1 && key != credential:
			return "", true, newProblem(http.StatusBadRequest, "Authorization and X-API-Key hold different credentials; send one of them")
		}
		credential = key
	}
	return credential, true, nil
}
