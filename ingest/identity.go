package ingest

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
)

// MaxAhead is how far in the future a signal's time may lie: clients' clocks differ.
const MaxAhead = time.Minute

// Identities gives signals their ids and times. The time of a signal is the one
// inside its id, in milliseconds: a look-up by id then knows the partition, and a
// resubmitted id meets the primary key (id, timestamp).
type Identities struct {
	// IDs makes the ids of signals that bring none: from the clock, or derived from
	// the key of an idempotent request.
	IDs *model.IDGenerator
	// Clock tells what the bounds are measured from.
	Clock func() time.Time
	// Retention is how long signals are kept, 0 for ever: an older one would be gone
	// at once.
	Retention time.Duration
}

// Identify returns the id and time of a signal from what the client sent, either of
// which may be nil. An id must be a UUIDv7 and a time beside it the one inside it;
// neither may lie more than MaxAhead in the future or beyond the retention. The
// error is ErrInvalid and names id or timestamp.
func (d Identities) Identify(id *uuid.UUID, at *time.Time) (uuid.UUID, time.Time, error) {
	switch {
	case id != nil:
		t, ok := model.IDTime(*id)
		if !ok {
			return uuid.Nil, time.Time{}, refused("id", "must be a UUID of version 7, or be left out")
		}
		if err := d.check("id", t); err != nil {
			return uuid.Nil, time.Time{}, err
		}
		if at != nil && at.UnixMilli() != t.UnixMilli() {
			return uuid.Nil, time.Time{}, refused("timestamp",
				"must be the time inside id, "+t.Format("2006-01-02T15:04:05.000Z07:00")+", or be left out")
		}
		return *id, t, nil
	case at != nil:
		if at.Before(time.Unix(0, 0)) {
			return uuid.Nil, time.Time{}, refused("timestamp", "must not lie before 1970")
		}
		if err := d.check("timestamp", *at); err != nil {
			return uuid.Nil, time.Time{}, err
		}
		made := d.IDs.NewAt(*at)
		return made, mustIDTime(made), nil
	default:
		made := d.IDs.New()
		return made, mustIDTime(made), nil
	}
}

func (d Identities) check(field string, t time.Time) error {
	now := d.Clock()
	if t.After(now.Add(MaxAhead)) {
		return refused(field, fmt.Sprintf("must not lie more than a minute in the future: its time is %s, and it is %s here",
			t.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339)))
	}
	if d.Retention > 0 && t.Before(now.Add(-d.Retention)) {
		return refused(field, fmt.Sprintf("must not be older than signals are kept, which is %s: its time is %s",
			days(d.Retention), t.UTC().Format(time.RFC3339)))
	}
	return nil
}

func refused(field, reason string) error {
	return &model.Error{Kind: model.ErrInvalid, Entity: "signal", Field: field, Reason: reason}
}

// days writes a duration in whole days if it is that, as the configuration does.
func days(d time.Duration) string {
	const day = 24 * time.Hour
	if d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	return d.String()
}

// mustIDTime is the time inside an id that our generator made.
func mustIDTime(id uuid.UUID) time.Time {
	t, _ := model.IDTime(id)
	return t
}
