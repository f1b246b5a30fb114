package server

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/model"
)

// APIKey is one API key, without its text. Exported, as every embedded type must be.
type APIKey struct {
	ID          uuid.UUID  `json:"id" format:"uuid" example:"0199d2f4-7c00-7a31-8d52-0e6f4b1c9a74"`
	Name        string     `json:"name" example:"nightly report"`
	Permissions []string   `json:"permissions" nullable:"false" doc:"Its scopes. What its owner may not do it may not either, also later." example:"[\"ViewSignals\"]"`
	IsActive    bool       `json:"is_active" doc:"False once it was revoked."`
	LastUsedAt  *time.Time `json:"last_used_at" nullable:"true" doc:"To the minute or so; null if never."`
	CreatedAt   time.Time  `json:"created_at"`
	ExpiresAt   *time.Time `json:"expires_at" nullable:"true" doc:"Null for never."`
}

// newAPIKey is the one answer with the text of a key.
type newAPIKey struct {
	APIKey
	Key string `json:"key" doc:"The key itself. It is told here and never again." example:"hal9_key_…"`
}

func apiKeyOf(row *model.APIKey) APIKey {
	return APIKey{
		ID: row.ID, Name: row.Name, Permissions: auth.KeyScopes(row.Permissions).List(), IsActive: row.IsActive,
		LastUsedAt: row.LastUsedAt, CreatedAt: row.CreatedAt, ExpiresAt: row.ExpiresAt,
	}
}

func apiKeysOf(rows []model.APIKey) *answer[[]APIKey] {
	list := make([]APIKey, len(rows))
	for i := range rows {
		list[i] = apiKeyOf(&rows[i])
	}
	return ok(list)
}

type apiKeyBody struct {
	Name        string     `json:"name" minLength:"1" maxLength:"255" doc:"What it is for." example:"nightly report"`
	Permissions []string   `json:"permissions,omitempty" maxItems:"12" nullable:"true" doc:"Scopes, of those that you have yourself; all of these if absent or empty." example:"[\"ViewSignals\"]"`
	ExpiresAt   *time.Time `json:"expires_at,omitempty" nullable:"true" doc:"Never if absent, or when the key expires with which this one is made." example:"2030-01-31T00:00:00Z"`
}

func (s *Server) registerAPIKeys(path string) {
	register(s, operation{
		id: "APIKeyCreate", method: http.MethodPost, path: path, tag: tagAccounts, access: ownKeys(),
		summary: "Make an API key", status: http.StatusCreated, idempotency: idempotencyOnce,
		description: "Its text is in this answer alone. A key made with a key has no more scopes than that one, and expires no later.",
		example:     map[string]any{"name": "nightly report", "permissions": []string{"ViewSignals"}},
	}, s.apiKeyCreate)
	register(s, operation{
		id: "APIKeyList", method: http.MethodGet, path: path, tag: tagAccounts, access: ownKeys(),
		summary: "List your API keys", description: "The newest first, up to 1,000.",
	}, s.apiKeyList)
	register(s, operation{
		id: "APIKeyRevoke", method: http.MethodPut, path: path + "/{id}", tag: tagAccounts, access: ownKeys(), noBody: true,
		summary: "Revoke one of your API keys", description: "For good. It stays in the list.",
		problems: []int{http.StatusNotFound},
	}, s.apiKeyRevoke)
	register(s, operation{
		id: "APIKeyDelete", method: http.MethodDelete, path: path + "/{id}", tag: tagAccounts, access: ownKeys(),
		summary: "Delete one of your API keys", problems: []int{http.StatusNotFound},
	}, s.apiKeyDelete)
}

func (s *Server) apiKeyCreate(ctx context.Context, in *struct{ Body apiKeyBody }) (*answer[newAPIKey], error) {
	row, key, err := s.auth.APIKeyCreate(ctx, principalOf(ctx), auth.APIKeyCreateParams{
		Name: in.Body.Name, Scopes: in.Body.Permissions, ExpiresAt: in.Body.ExpiresAt, Client: clientOf(ctx),
	})
	if err != nil {
		return nil, err
	}
	a := ok(newAPIKey{apiKeyOf(&row), key})
	a.Status = http.StatusCreated
	return a, nil
}

func (s *Server) apiKeyList(ctx context.Context, _ *struct{}) (*answer[[]APIKey], error) {
	rows, err := s.auth.APIKeyList(ctx, principalOf(ctx))
	if err != nil {
		return nil, err
	}
	return apiKeysOf(rows), nil
}

func (s *Server) apiKeyRevoke(ctx context.Context, in *UUIDPath) (*answer[APIKey], error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	row, err := s.auth.APIKeyRevoke(ctx, principalOf(ctx), id, clientOf(ctx))
	if err != nil {
		return nil, err
	}
	return ok(apiKeyOf(&row)), nil
}

func (s *Server) apiKeyDelete(ctx context.Context, in *UUIDPath) (*answer[deleted], error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	if err := s.auth.APIKeyDelete(ctx, principalOf(ctx), id, clientOf(ctx)); err != nil {
		return nil, err
	}
	return ok(deleted{ID: id.String()}), nil
}
