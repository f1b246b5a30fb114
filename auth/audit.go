package auth

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
)

// What the audit log calls the acts of this package.
const (
	actUserRegister     = "user.register"
	actUserCreate       = "user.create"
	actUserUpdate       = "user.update"
	actUserDelete       = "user.delete"
	actProfileUpdate    = "profile.update"
	actLogin            = "login"
	actLoginFailed      = "login.failed"
	actLogout           = "logout"
	actPasswordChange   = "password.change"
	actPasswordRehash   = "password.rehash"
	actSessionRevoke    = "session.revoke"
	actSessionRevokeAll = "session.revoke_all"
	actRefreshReuse     = "refresh_token.reuse"
	actKeyCreate        = "api_key.create"
	actKeyRevoke        = "api_key.revoke"
	actKeyDelete        = "api_key.delete"
)

// The kinds of things that the acts are about.
const (
	resourceUser    = "user"
	resourceSession = "session"
	resourceKey     = "api_key"
)

// maxAuditText bounds what a client can put into the log.
const maxAuditText = 512

// entry is one line of the audit log.
type entry struct {
	by       uuid.UUID // nobody if zero
	action   string
	resource string
	id       string // "" for none
	details  map[string]any
	client   Client
}

// note writes an entry, in the transaction of the act where q is one. Details are
// JSON, so that no line break can forge an entry.
func (s *Service) note(ctx context.Context, q model.AuditLogQueries, e entry) error {
	details := model.EmptyObject()
	if len(e.details) > 0 {
		text, err := json.Marshal(e.details, json.Deterministic(true))
		if err != nil {
			return fmt.Errorf("write the details of %s: %w", e.action, err)
		}
		details = text
	}
	arg := model.AuditInsertParams{
		ID: s.ids.New(), Action: e.action, ResourceType: e.resource, ResourceID: textOrNil(e.id), Details: details,
		IPAddress: textOrNil(e.client.IP), UserAgent: textOrNil(e.client.UserAgent), CreatedAt: s.now(),
	}
	if e.by != uuid.Nil {
		arg.UserID = &e.by
	}
	if err := q.AuditInsert(ctx, arg); err != nil {
		return fmt.Errorf("write the audit log: %w", err)
	}
	return nil
}

// textOrNil makes a client's text storable and bounded; "" is nil.
func textOrNil(s string) *string {
	if s == "" {
		return nil
	}
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	if len(s) > maxAuditText {
		s = s[:maxAuditText]
		for !utf8.ValidString(s) {
			s = s[:len(s)-1]
		}
	}
	return &s
}

// Audit notes a privileged act that was done elsewhere, such as deleting a neuron.
func (s *Service) Audit(ctx context.Context, by Principal, action, resourceType, resourceID string, details map[string]any, c Client) error {
	return s.note(ctx, s.store, entry{by: by.UserID, action: action, resource: resourceType, id: resourceID, details: details, client: c})
}

// AuditList returns a page of the audit log, the newest entry first.
func (s *Service) AuditList(ctx context.Context, arg model.AuditListParams) ([]model.AuditLog, error) {
	rows, err := s.store.AuditList(ctx, arg)
	if err != nil {
		return nil, fmt.Errorf("list the audit log: %w", err)
	}
	return rows, nil
}
