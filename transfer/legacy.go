package transfer

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
)

// The readers of this file never refuse a row: what a column cannot hold is kept
// aside, as a member of about.

// keep puts a value aside, under the name legacy_ and its column's.
func (r *row) keep(column string, about *object, because string) {
	if m, ok := legacyMember(column, r.value(column)); ok {
		r.keptAside(column, column+" "+because+": kept as "+m.name)
		about.addAll([]member{m})
	}
}

// optionalText reads a text of at most the given number of characters.
func (r *row) optionalText(column string, most int, about *object) *string {
	s, found := textOf(r.value(column))
	switch {
	case !found:
		return nil
	case strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s):
		r.keep(column, about, "was no valid text")
		return nil
	case utf8.RuneCountInString(s) > most:
		r.keep(column, about, fmt.Sprintf("was longer than %d characters", most))
		return nil
	}
	return &s
}

// optionalMoment reads a time that a row can do without.
func (r *row) optionalMoment(column string, about *object) *time.Time {
	v := r.value(column)
	if v == nil {
		return nil
	}
	t, err := parseTime(v)
	if err != nil {
		r.keep(column, about, "was "+err.Error())
		return nil
	}
	r.timeForm(column, v, t)
	return &t
}

// momentOr is optionalMoment with something to stand in for a missing time.
func (r *row) momentOr(column string, about *object, otherwise time.Time, what string) time.Time {
	if t := r.optionalMoment(column, about); t != nil {
		return *t
	}
	r.note(column + " was missing: set to " + what)
	return otherwise
}

// flag reads a truth value; absent stands for NULL. What is none counts as false,
// which never grants anything.
func (r *row) flag(column string, absent bool, about *object) bool {
	switch v := r.value(column).(type) {
	case nil:
		return absent
	case int64:
		if v == 0 || v == 1 {
			return v == 1
		}
	case float64:
		if v == 0 || v == 1 {
			r.reshaped(column, "a truth value as a floating-point number")
			return v == 1
		}
	default:
		text, _ := textOf(v)
		switch strings.ToLower(strings.TrimSpace(text)) {
		case "1", "true", "t", "yes":
			r.reshaped(column, "a truth value written as text")
			return true
		case "0", "false", "f", "no":
			r.reshaped(column, "a truth value written as text")
			return false
		}
	}
	r.keep(column, about, "was no truth value, set to false")
	return false
}

// reference reads the id of another row, and remaps it as that row's id was; what
// stood there is kept in about.
func (r *row) reference(column, entity string, about *object) (id uuid.UUID, ok bool) {
	v := r.value(column)
	if b, isBytes := v.([]byte); isBytes && len(b) == len(id) && !utf8.Valid(b) {
		r.converted(column, column+" was the 16 bytes of a UUID")
		return uuid.UUID(b), true
	}
	old, found := textOf(v)
	if !found || old == "" {
		return id, false
	}
	id, kept := newID(entity, old)
	if !kept {
		m, _ := legacyMember(column, v)
		r.converted(column, column+" was no UUID: remapped, the old one is kept as "+m.name)
		about.addAll([]member{m})
	}
	return id, true
}

// idOf is the id that the row with this old id gets.
func idOf(entity string, old any) uuid.UUID {
	if b, ok := old.([]byte); ok && len(b) == len(uuid.UUID{}) && !utf8.Valid(b) {
		return uuid.UUID(b)
	}
	text, _ := textOf(old)
	id, _ := newID(entity, text)
	return id
}

// number reads a finite number that must be there.
func (r *row) number(column string) (float64, error) {
	if r.value(column) == nil {
		return math.NaN(), &skip{column + " is empty", ""}
	}
	return r.float(column, 0)
}

// account is a row that belongs to a user, with what its table has no column for.
type account[P any] struct {
	params P
	id     uuid.UUID
	userID uuid.UUID
	// oldUser is user_id as the file has it.
	oldUser any
	about   object
	// aside is what was found when part of the row had to be put aside for what the
	// store holds; it stays when the row is tried again.
	aside *outcome
}

// keepDetails stores what the accounts written in this transaction have beside
// their columns.
func keepDetails[P any](ctx context.Context, tx model.Tx, entity string, items []*account[P], outcomes []outcome, now time.Time) error {
	var kept []*account[P]
	for i, item := range items {
		if outcomes[i].fate == written && len(item.about.members) > 0 {
			kept = append(kept, item)
		}
	}
	if len(kept) == 0 {
		return nil
	}
	_, err := tx.ImportMany(ctx, len(kept), func(ctx context.Context, q model.Imports, i int) (int64, error) {
		a := kept[i]
		return q.LegacyDetailImport(ctx, model.LegacyDetailImportParams{
			Entity: entity, ID: a.id, UserID: a.userID, Details: a.about.json(), CreatedAt: now,
		})
	})
	return err
}
