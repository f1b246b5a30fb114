package server

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/model"
)

// account is a user, in the shape of all routes. The hash of the password is in none.
type account struct {
	ID        uuid.UUID `json:"id" format:"uuid" example:"0199d2f4-7c00-7a31-8d52-0e6f4b1c9a72"`
	Username  string    `json:"username" example:"ann"`
	Email     *string   `json:"email" nullable:"true" example:"ann@example.org"`
	Role      string    `json:"role" doc:"guest, user or admin; an imported user may have another one, which grants nothing." example:"user"`
	CreatedAt time.Time `json:"created_at"`
	IsActive  bool      `json:"is_active" doc:"Who is not cannot log in, and his keys are void."`
}

func accountOf(u model.User) account {
	return account{ID: u.ID, Username: u.Username, Email: u.Email, Role: u.Role, CreatedAt: u.CreatedAt, IsActive: u.IsActive}
}

// Bounds that the schema tells; package auth holds to them.
type registerBody struct {
	Username string  `json:"username" minLength:"1" maxLength:"255" doc:"Unique; capitals count." example:"ann"`
	Password string  `json:"password" minLength:"8" maxLength:"1024" format:"password" writeOnly:"true" doc:"At least 8 characters, and at most 1,024 bytes of UTF-8." example:"correct horse battery staple"`
	Email    *string `json:"email,omitempty" maxLength:"255" nullable:"true" doc:"Unique, if given." example:"ann@example.org"`
}

type loginBody struct {
	Username string `json:"username" maxLength:"255" example:"ann"`
	Password string `json:"password" maxLength:"1024" format:"password" writeOnly:"true" doc:"At most 1,024 bytes of UTF-8." example:"correct horse battery staple"`
}

type refreshBody struct {
	RefreshToken string `json:"refresh_token" maxLength:"512" writeOnly:"true" example:"hal9_rt_…"`
}

// grant is what a login gives.
type grant struct {
	AccessToken      string    `json:"access_token" doc:"Send it as Authorization: Bearer." example:"hal9_at_…"`
	RefreshToken     string    `json:"refresh_token" doc:"Good for one refresh, which gives the next one." example:"hal9_rt_…"`
	TokenType        string    `json:"token_type" enum:"Bearer"`
	ExpiresIn        int       `json:"expires_in" doc:"Seconds that the access token lives." example:"900"`
	ExpiresAt        time.Time `json:"expires_at" doc:"When the access token expires."`
	RefreshExpiresAt time.Time `json:"refresh_expires_at"`
	User             account   `json:"user"`
}

func (s *Server) registerAccounts() {
	const path = "/api/v1/auth"
	register(s, operation{
		id: "AccountRegister", method: http.MethodPost, path: path + "/register", tag: tagAccounts, access: public(),
		summary:     "Make yourself a user",
		description: "Always with the role user. Where auth.registration is closed, admins make users.",
		problems:    []int{http.StatusConflict}, idempotency: idempotencyOnce, closed: s.auth.RegistrationClosed,
		example: map[string]any{"username": "ann", "password": "correct horse battery staple"},
	}, s.accountRegister)
	register(s, operation{
		id: "AccountLogin", method: http.MethodPost, path: path + "/login", tag: tagAccounts, access: public(),
		summary:     "Log in",
		description: "An unknown user and a wrong password get the same answer. Failures are limited for each account and each address.",
		problems:    []int{http.StatusUnauthorized},
		example:     map[string]any{"username": "ann", "password": "correct horse battery staple"},
	}, s.accountLogin)
	register(s, operation{
		id: "AccountRefresh", method: http.MethodPost, path: path + "/refresh", tag: tagAccounts, access: public(),
		summary: "Get new tokens for a refresh token",
		description: "Both old tokens are void afterwards. A refresh token that comes a second time was stolen or lost on the way: " +
			"its session ends, and its owner logs in again.",
		problems: []int{http.StatusUnauthorized},
		example:  map[string]any{"refresh_token": "hal9_rt_…"}, //nolint:gosec // an example, no token
	}, s.accountRefresh)
	register(s, operation{
		id: "AccountLogout", method: http.MethodPost, path: path + "/logout", tag: tagAccounts, access: ownLogin(), noBody: true,
		summary: "End the session whose access token is sent",
	}, s.accountLogout)
	s.registerProfile(path)
	s.registerSessions(path + "/sessions")
	s.registerAPIKeys(path + "/api-keys")
}

func (s *Server) accountRegister(ctx context.Context, in *struct{ Body registerBody }) (*answer[account], error) {
	u, err := s.auth.Register(ctx, auth.RegisterParams{
		Username: in.Body.Username, Password: in.Body.Password, Email: in.Body.Email, Client: clientOf(ctx),
	})
	if err != nil {
		return nil, err
	}
	return ok(accountOf(u)), nil
}

func (s *Server) accountLogin(ctx context.Context, in *struct{ Body loginBody }) (*answer[grant], error) {
	g, err := s.auth.Login(ctx, auth.LoginParams{Username: in.Body.Username, Password: in.Body.Password, Client: clientOf(ctx)})
	if err != nil {
		return nil, err
	}
	return ok(s.grantOf(&g)), nil
}

func (s *Server) accountRefresh(ctx context.Context, in *struct{ Body refreshBody }) (*answer[grant], error) {
	g, err := s.auth.Refresh(ctx, in.Body.RefreshToken, clientOf(ctx))
	if err != nil {
		return nil, err
	}
	return ok(s.grantOf(&g)), nil
}

// ended tells how many sessions are over.
type ended struct {
	SessionsEnded int64 `json:"sessions_ended" example:"1"`
}

func (s *Server) accountLogout(ctx context.Context, _ *struct{}) (*answer[ended], error) {
	if err := s.auth.Logout(ctx, principalOf(ctx), clientOf(ctx)); err != nil {
		return nil, err
	}
	return ok(ended{SessionsEnded: 1}), nil
}

func (s *Server) grantOf(g *auth.Grant) grant {
	return grant{
		AccessToken: g.AccessToken, RefreshToken: g.RefreshToken, TokenType: "Bearer",
		ExpiresIn: seconds(g.ExpiresAt.Sub(s.now())), ExpiresAt: g.ExpiresAt, RefreshExpiresAt: g.RefreshExpiresAt,
		User: accountOf(g.User),
	}
}
