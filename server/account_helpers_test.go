package server_test

import (
	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/auth"
)

// testPassword is every test user's.
const testPassword = "correct horse"

// testUser is a user with the password testPassword.
type testUser struct {
	id   uuid.UUID
	name string
	role string
}

// user makes a user of a role.
func (s *harness) user(name, role string) testUser {
	s.t.Helper()
	u, err := s.auth.UserCreate(s.t.Context(), auth.Principal{}, auth.UserCreateParams{Username: name, Password: testPassword, Role: role})
	if err != nil {
		s.t.Fatalf("make the user %s: %v", name, err)
	}
	return testUser{u.ID, name, role}
}

// grant is what tests read of a login.
type grant struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`
	User         struct {
		ID, Username, Role string
	}
}

func (s *harness) login(u testUser) grant {
	s.t.Helper()
	return data[grant](s.ask("POST", "/api/v1/auth/login", `{"username":"`+u.name+`","password":"`+testPassword+`"}`).want(200))
}

// key makes an API key of the user with the scopes, with all of his if none are given.
func (s *harness) key(u testUser, scopes ...auth.Scope) string {
	s.t.Helper()
	p := auth.Principal{UserID: u.id, Username: u.name, Role: u.role, Scopes: auth.RoleScopes(u.role)}
	_, key, err := s.auth.APIKeyCreate(s.t.Context(), p, auth.APIKeyCreateParams{Name: "test", Scopes: auth.NewScopeSet(scopes...).List()})
	if err != nil {
		s.t.Fatalf("make a key of %s: %v", u.name, err)
	}
	return key
}

func bearer(token string) []string { return []string{"Authorization", "Bearer " + token} }

// unique is a word that the server's ids make.
func (s *harness) unique() string { return uuid.NewString() }
