package auth

import (
	"context"

	"github.com/google/uuid"
)

// Principal is who asks, as a credential proved it. The zero value is nobody.
type Principal struct {
	UserID   uuid.UUID
	Username string
	Role     string
	// Scopes are those of the role or, with an API key, those of both.
	Scopes ScopeSet
	// SessionID is set when an access token was shown.
	SessionID uuid.UUID
	// KeyID is set when an API key was shown.
	KeyID uuid.UUID
}

// Known tells whether a credential was shown.
func (p *Principal) Known() bool { return p.UserID != uuid.Nil }

// Client is where a request comes from, as sessions and the audit log note it.
type Client struct {
	// IP is the address without a port, "" if unknown.
	IP string
	// UserAgent is what the client calls itself.
	UserAgent string
}

type principalKey struct{}

// WithPrincipal returns a context that carries who asks.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, &p)
}

// PrincipalFrom returns who asks; false says that nobody showed a credential.
func PrincipalFrom(ctx context.Context) (Principal, bool) {
	p, ok := ctx.Value(principalKey{}).(*Principal)
	if !ok {
		return Principal{}, false
	}
	return *p, true
}
