package server

import (
	"context"
	"net/http"

	"github.com/hal9-ai/hal9/auth"
)

type profileBody struct {
	Username *string `json:"username,omitempty" minLength:"1" maxLength:"255" nullable:"true" doc:"Stays if absent." example:"ann"`
	Email    *string `json:"email,omitempty" maxLength:"255" nullable:"true" doc:"Stays if absent; the empty text removes it." example:"ann@example.org"`
}

type passwordBody struct {
	OldPassword string `json:"old_password" maxLength:"1024" format:"password" writeOnly:"true" doc:"At most 1,024 bytes of UTF-8." example:"correct horse battery staple"`
	NewPassword string `json:"new_password" minLength:"8" maxLength:"1024" format:"password" writeOnly:"true" doc:"At least 8 characters, and at most 1,024 bytes of UTF-8." example:"a longer and better one"`
}

type proofBody struct {
	Password string `json:"password" maxLength:"1024" format:"password" writeOnly:"true" doc:"At most 1,024 bytes of UTF-8." example:"correct horse battery staple"`
}

func (s *Server) registerProfile(path string) {
	registerDirect(s, operation{
		id: "ProfileGet", method: http.MethodGet, path: path + "/profile", tag: tagAccounts, access: ownAccount(),
		summary: "Get your own user",
	}, fillNothing, s.profileGet)
	register(s, operation{
		id: "ProfilePut", method: http.MethodPut, path: path + "/profile", tag: tagAccounts, access: ownLogin(),
		summary: "Change your name or email", description: "The role is not yours to change.",
		problems: []int{http.StatusConflict}, example: map[string]any{"email": "ann@example.org"},
	}, s.profilePut)
	register(s, operation{
		id: "PasswordPut", method: http.MethodPut, path: path + "/password", tag: tagAccounts, access: ownLogin(),
		summary:     "Change your password",
		description: "Ends all your sessions, the one that asks too: log in again. API keys stay. Failures are limited as those of logins.",
		example:     map[string]any{"old_password": "correct horse battery staple", "new_password": "a longer and better one"},
	}, s.passwordPut)
	register(s, operation{
		// A DELETE with a body, which the password needs, is dropped or refused by
		// some clients and proxies (RFC 9110, section 9.3.5).
		id: "ProfileDelete", method: http.MethodPost, path: path + "/profile/delete", tag: tagAccounts, access: ownLogin(),
		summary:     "Delete your user with all sessions and API keys",
		description: "What you stored stays: it belongs to the deployment. The last active admin cannot go. Failures are limited as those of logins.",
		problems:    []int{http.StatusConflict}, example: map[string]any{"password": "correct horse battery staple"},
	}, s.profileDelete)
}

func (s *Server) profileGet(ctx context.Context, _ *struct{}) (*answer[account], error) {
	u, err := s.auth.Profile(ctx, principalOf(ctx))
	if err != nil {
		return nil, err
	}
	a := ok(accountOf(u))
	a.Body.encoded = encodeAccount(&a.Body.Data)
	return a, nil
}

func (s *Server) profilePut(ctx context.Context, in *struct{ Body profileBody }) (*answer[account], error) {
	u, err := s.auth.ProfileUpdate(ctx, principalOf(ctx), auth.ProfileUpdateParams{
		Username: in.Body.Username, Email: in.Body.Email, Client: clientOf(ctx),
	})
	if err != nil {
		return nil, err
	}
	return ok(accountOf(u)), nil
}

// passwordChanged tells what a new password did.
type passwordChanged struct {
	Message string `json:"message" example:"the password is changed and all sessions are ended; log in again"`
}

func (s *Server) passwordPut(ctx context.Context, in *struct{ Body passwordBody }) (*answer[passwordChanged], error) {
	err := s.auth.PasswordChange(ctx, principalOf(ctx), auth.PasswordChangeParams{
		Old: in.Body.OldPassword, New: in.Body.NewPassword, Client: clientOf(ctx),
	})
	if err != nil {
		return nil, err
	}
	return ok(passwordChanged{"the password is changed and all sessions are ended; log in again"}), nil
}

func (s *Server) profileDelete(ctx context.Context, in *struct{ Body proofBody }) (*answer[deleted], error) {
	p := principalOf(ctx)
	if err := s.auth.AccountDelete(ctx, p, in.Body.Password, clientOf(ctx)); err != nil {
		return nil, err
	}
	return ok(deleted{ID: p.UserID.String()}), nil
}
