package transfer

import (
	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
)

// Entities whose ids may have to be made from old ones.
const (
	entityMemory  = "memory"
	entitySignal  = "signal"
	entityUser    = "user"
	entityAPIKey  = "api_key"
	entitySession = "session"
	entityMetric  = "metric"
	entityAudit   = "audit"
)

// newID returns the id that a row of the entity gets: its own if that is a UUID as
// this service writes it, otherwise one made from it, always the same.
func newID(entity, old string) (id uuid.UUID, kept bool) {
	if id, ok := parseUUID(old); ok {
		return id, true
	}
	return model.LegacyID(entity, old), false
}

// parseUUID accepts the lower-case hyphenated form alone: ids are compared as text
// in references, and another spelling is another text.
func parseUUID(s string) (uuid.UUID, bool) {
	const length = 36 // package uuid reads further forms of other lengths
	if len(s) != length {
		return uuid.UUID{}, false
	}
	id, err := uuid.Parse(s)
	return id, err == nil && id.String() == s
}
