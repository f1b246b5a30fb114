package server

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/model"
)

// auditEntry is one privileged act.
type auditEntry struct {
	ID           uuid.UUID  `json:"id" format:"uuid" example:"0199d2f4-7c00-7a31-8d52-0e6f4b1c9a75"`
	UserID       *uuid.UUID `json:"user_id" format:"uuid" nullable:"true" doc:"Who did it; null if nobody or nobody any more."`
	Action       string     `json:"action" example:"user.update"`
	ResourceType string     `json:"resource_type" example:"user"`
	ResourceID   *string    `json:"resource_id" nullable:"true"`
	Details      jsonObject `json:"details"`
	IPAddress    *string    `json:"ip_address" nullable:"true" example:"192.0.2.7"`
	UserAgent    *string    `json:"user_agent" nullable:"true"`
	CreatedAt    time.Time  `json:"created_at"`
}

type auditListInput struct {
	PageQuery
	UserID       string `query:"user_id" format:"uuid" maxLength:"36" doc:"Only what this user did."`
	Action       string `query:"action" maxLength:"255" doc:"Only this act, spelt as it is stored." example:"user.update"`
	ResourceType string `query:"resource_type" maxLength:"255" doc:"Only acts on this kind of thing." example:"user"`
	ResourceID   string `query:"resource_id" maxLength:"255" doc:"Only acts on the thing with this id."`
	Since        moment `query:"since" doc:"Only acts of this moment or later." example:"2026-01-31T00:00:00Z"`
	Until        moment `query:"until" doc:"Only acts before this moment." example:"2026-02-01T00:00:00Z"`
}

func (s *Server) registerAudit() {
	register(s, operation{
		id: "AuditList", method: http.MethodGet, path: "/api/v1/audit", tag: tagAdmin, access: closed(auth.ScopeSystemAdmin), replica: true,
		summary: "List the privileged acts", description: "The newest first.",
	}, s.auditList)
}

func (s *Server) auditList(ctx context.Context, in *auditListInput) (*pageAnswer[auditEntry], error) {
	arg, err := in.params()
	if err != nil {
		return nil, err
	}
	rows, err := s.auth.AuditList(ctx, arg)
	if err != nil {
		return nil, err
	}
	return page(rows, in.Limit, auditEntryOf, func(row model.AuditLog) string {
		return encodeTimeCursor(cursorAudit, row.CreatedAt, row.ID)
	}), nil
}

func (in *auditListInput) params() (model.AuditListParams, error) {
	arg := model.AuditListParams{
		CursorCreatedAt: model.MaxTime(), CursorID: model.MaxID(), PageLimit: int64(in.Limit) + 1,
		Action: optional(in.Action), ResourceType: optional(in.ResourceType), ResourceID: optional(in.ResourceID),
	}
	if in.UserID != "" {
		id, err := uuid.Parse(in.UserID)
		if err != nil {
			return arg, invalidField("query.user_id", "must be a UUID such as 0199d2f4-7c00-7a31-8d52-0e6f4b1c9a72")
		}
		arg.UserID = &id
	}
	var err error
	if arg.Since, err = in.Since.bound("query.since", arg.Since); err != nil {
		return arg, err
	}
	until, err := in.Until.bound("query.until", model.MaxTime())
	if err != nil {
		return arg, err
	}
	if in.Until.given {
		// What comes before a moment and the least of all ids came before the moment.
		arg.CursorCreatedAt, arg.CursorID = until, uuid.Nil
	}
	if in.Cursor != "" {
		at, id, err := decodeTimeCursor(cursorAudit, in.Cursor)
		if err != nil {
			return arg, err
		}
		if !in.Until.given || at.Before(until) {
			arg.CursorCreatedAt, arg.CursorID = at, id
		}
	}
	if arg.Since.After(until) {
		return arg, invalidField("query.since", "must not be later than until")
	}
	return arg, nil
}

func auditEntryOf(row model.AuditLog) auditEntry {
	return auditEntry{
		ID: row.ID, UserID: row.UserID, Action: row.Action, ResourceType: row.ResourceType, ResourceID: row.ResourceID,
		Details: objectOf(row.Details), IPAddress: row.IPAddress, UserAgent: row.UserAgent, CreatedAt: row.CreatedAt,
	}
}
