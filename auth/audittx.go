package auth

import (
	"context"

	"github.com/hal9-ai/hal9/model"
)

// AuditTx is Audit within a transaction of the caller's: the act and its entry are
// stored together or not at all.
func (s *Service) AuditTx(ctx context.Context, tx model.AuditLogQueries, by Principal, action, resourceType, resourceID string, details map[string]any, c Client) error {
	return s.note(ctx, tx, entry{by: by.UserID, action: action, resource: resourceType, id: resourceID, details: details, client: c})
}
