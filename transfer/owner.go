package transfer

import (
	"context"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
)

// owners tells which of the accounts' users exist: in the store, or, in a dry run,
// among those of the file that would be imported. The others get an outcome that
// says why their row is refused.
func owners[P any](ctx context.Context, j *job, q model.Queries, items []*account[P], outcomes []outcome) error {
	stored, err := storedUsers(ctx, q, items)
	if err != nil {
		return err
	}
	for i, a := range items {
		if outcomes[i].fate != written || stored[a.userID] {
			continue
		}
		inFile, err := j.source.inFile(ctx, "users", a.oldUser)
		if err != nil {
			return err
		}
		text, _ := textOf(a.oldUser)
		switch {
		case inFile && j.options.DryRun && !j.lostUsers[a.userID]:
		case inFile:
			outcomes[i] = outcome{fate: refused, reason: "user_id is that of a user who was not imported", detail: shorten(text)}
		default:
			outcomes[i] = outcome{fate: refused, reason: "user_id names no user", detail: shorten(text)}
		}
	}
	return nil
}

func storedUsers[P any](ctx context.Context, q model.Queries, items []*account[P]) (map[uuid.UUID]bool, error) {
	stored := map[uuid.UUID]bool{}
	if q == nil {
		return stored, nil
	}
	var ids []string
	for _, a := range items {
		if !stored[a.userID] {
			stored[a.userID] = true
			ids = append(ids, a.userID.String())
		}
	}
	none := jsonList([]string{})
	found, err := q.UserListClaims(ctx, model.UserListClaimsParams{Ids: jsonList(ids), Usernames: none, Emails: none})
	if err != nil {
		return nil, err
	}
	clear(stored)
	for _, u := range found {
		stored[u.ID] = true
	}
	return stored, nil
}

// claimed sets the outcomes of accounts whose id is stored, and of those whose hash
// is that of another one.
func claimed[P any](items []*account[P], outcomes []outcome, ids map[uuid.UUID]bool, hashes map[string]uuid.UUID, hash func(P) string, reason string) {
	for i, a := range items {
		if ids[a.id] {
			outcomes[i].fate = present
		} else if owner, taken := hashes[hash(a.params)]; taken {
			outcomes[i] = outcome{fate: refused, reason: reason, detail: owner.String()}
		}
	}
}

// sha256Hex tells whether a text has the form in which hashes of tokens are compared.
func sha256Hex(s string) bool {
	const digits = 64
	if len(s) != digits {
		return false
	}
	for _, c := range s {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// requiredHash reads a column that must hold the hash of a secret.
func (r *row) requiredHash(column, consequence string) (string, error) {
	s, err := r.required(column)
	if err == nil && !sha256Hex(s) {
		r.note(column + " is no SHA-256 in 64 lower-case hexadecimal digits: copied as it is, " + consequence)
	}
	return s, err
}

// ownedBy reads the ids of an account and of its user.
func ownedBy[P any](r *row, entity string, a *account[P]) error {
	id, legacy, err := r.id(entity)
	if err != nil {
		return err
	}
	a.id = id
	if legacy != "" {
		a.about.addText("legacy_id", legacy)
	}
	var ok bool
	if a.userID, ok = r.reference("user_id", entityUser, &a.about); !ok {
		return &skip{"user_id is empty", ""}
	}
	a.oldUser = r.value("user_id")
	return nil
}
