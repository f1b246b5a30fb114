package transfer

import (
	"context"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
)

type userItem = account[model.UserImportParams]

// users imports the accounts. Password hashes are copied as they are: bcrypt's are
// verified at the next login, and made anew then.
type users struct{}

func (users) table() string { return "users" }

func (users) run(ctx context.Context, j *job) error {
	now := model.NormalTime(j.options.Now())
	p := pipe[*userItem]{
		name: "users",
		columns: []string{
			"id", "username", "email", "password_hash", "role", "is_active", "email_verified",
			"created_at", "updated_at", "last_login",
		},
		unique:  []string{"username", "email"},
		convert: func(_ context.Context, r *row) (*userItem, error) { return userOf(r, now) },
		judge:   usersJudge,
		write: func(ctx context.Context, tx model.Tx, items []*userItem) ([]outcome, error) {
			outcomes, err := usersJudge(ctx, tx, items)
			if err != nil {
				return nil, err
			}
			err = importFresh(ctx, tx, items, outcomes, func(ctx context.Context, q model.Imports, u *userItem) (int64, error) {
				return q.UserImport(ctx, u.params)
			})
			if err != nil {
				return nil, err
			}
			return outcomes, keepDetails(ctx, tx, entityUser, items, outcomes, now)
		},
		lost: func(id any) { j.lostUsers[idOf(entityUser, id)] = true },
	}
	return p.run(ctx, j)
}

// userOf converts a row of users.
func userOf(r *row, now time.Time) (*userItem, error) {
	u := &userItem{}
	id, legacy, err := r.id(entityUser)
	if err != nil {
		return nil, err
	}
	u.id, u.userID, u.params.ID = id, id, id
	if legacy != "" {
		u.about.addText("legacy_id", legacy)
	}
	if u.params.Username, err = r.required("username"); err != nil {
		return nil, err
	}
	if odd(u.params.Username) {
		r.note("username begins or ends with a space or holds what cannot be seen: nobody can log in by it until it is changed")
	}
	hash, found := textOf(r.value("password_hash"))
	if model.CheckText("", "", hash) != nil {
		return nil, &skip{"password_hash is no valid text", ""}
	}
	u.params.PasswordHash = hash
	switch {
	case !found || hash == "":
		r.note("password_hash is empty: the user cannot log in until a password is set")
	case !strings.HasPrefix(hash, "$2"):
		r.note("password_hash is not bcrypt's: copied as it is")
	}
	roleOf(r, u)
	emailOf(r, u)
	userTimes(r, u, now)
	u.about.addAll(r.legacy())
	return u, r.claim("username")
}

// odd names cannot be logged in by.
func odd(name string) bool {
	return strings.TrimSpace(name) != name || strings.ContainsFunc(name, func(c rune) bool { return !unicode.IsPrint(c) })
}

// roleOf reads the role and whether the user is active. A role that this service
// does not know is kept and grants nothing.
func roleOf(r *row, u *userItem) {
	u.params.IsActive = r.flag("is_active", true, &u.about)
	role := r.optionalText("role", maxName, &u.about)
	switch {
	case role != nil && *role != "":
		u.params.Role = strings.TrimSpace(unquoteJSON(*role))
		if lower := strings.ToLower(u.params.Role); knownRole(lower) {
			u.params.Role = lower
		} else {
			r.note("role is unknown: it grants nothing until an admin sets another")
		}
		if u.params.Role != *role {
			r.reshaped("role", "a role in another spelling")
		}
	case r.value("role") == nil || role != nil:
		r.note("role was empty: set to user")
		u.params.Role = "user"
	default:
		u.params.Role = "guest" // the least, in place of what is no text
	}
}

func knownRole(role string) bool { return role == "guest" || role == "user" || role == "admin" }

// emailOf reads the email, which users of early versions do not have. One that
// another user of the file has already is kept aside: the account matters more.
func emailOf(r *row, u *userItem) {
	verified := r.flag("email_verified", false, &u.about)
	email := r.optionalText("email", maxName, &u.about)
	switch {
	case email == nil:
	case *email == "":
		r.converted("email", "email was an empty text: none is stored")
	case r.claim("email") != nil:
		r.keep("email", &u.about, "is that of an earlier row in the file")
	default:
		u.params.Email, u.params.EmailVerified = email, verified
	}
	if verified && !u.params.EmailVerified {
		r.keep("email_verified", &u.about, "was set without an email that can be stored")
	}
}

// userTimes reads the times. A user is worth more than the time of his making.
func userTimes(r *row, u *userItem, now time.Time) {
	created, updated := r.optionalMoment("created_at", &u.about), r.optionalMoment("updated_at", &u.about)
	switch {
	case created == nil && updated == nil:
		r.note("created_at and updated_at were missing: set to the time of the import")
		created, updated = &now, &now
	case created == nil:
		r.note("created_at was missing: set to updated_at")
		created = updated
	case updated == nil:
		updated = created
	}
	u.params.CreatedAt, u.params.UpdatedAt = *created, *updated
	u.params.LastLogin = r.optionalMoment("last_login", &u.about)
}

// usersJudge tells which users are there already, and which cannot be written since
// another one has the name. An email that another one has is put aside.
func usersJudge(ctx context.Context, q model.Queries, items []*userItem) ([]outcome, error) {
	outcomes := make([]outcome, len(items))
	if q == nil {
		return outcomes, nil
	}
	var ids, names, emails []string
	for _, u := range items {
		ids, names = append(ids, u.id.String()), append(names, u.params.Username)
		if u.params.Email != nil {
			emails = append(emails, *u.params.Email)
		}
	}
	claims, err := q.UserListClaims(ctx, model.UserListClaimsParams{Ids: jsonList(ids), Usernames: jsonList(names), Emails: jsonList(emails)})
	if err != nil {
		return nil, err
	}
	byID, byName, byEmail := map[uuid.UUID]string{}, map[string]uuid.UUID{}, map[string]uuid.UUID{}
	for _, c := range claims {
		byID[c.ID], byName[c.Username] = c.Username, c.ID
		if c.Email != nil {
			byEmail[*c.Email] = c.ID
		}
	}
	for i, u := range items {
		name, there := byID[u.id]
		owner, taken := byName[u.params.Username]
		switch {
		case there:
			outcomes[i].fate = present
			if name != u.params.Username {
				outcomes[i].note = "was there already under another username, which was left as it is"
			}
		case taken:
			outcomes[i] = outcome{
				fate: refused, reason: "username is that of another user here",
				detail: strconv.Quote(u.params.Username) + " is user " + owner.String(),
			}
		case u.aside != nil:
			outcomes[i] = *u.aside
		case u.params.Email != nil:
			if _, taken := byEmail[*u.params.Email]; taken {
				outcomes[i] = emailAside(u)
			}
		}
	}
	return outcomes, nil
}

func emailAside(u *userItem) outcome {
	const how = "email is that of another user here: kept as legacy_email"
	o := outcome{note: how, fates: []fieldFate{{column: "email", how: how, aside: true}}}
	u.about.addText("legacy_email", *u.params.Email)
	if u.params.EmailVerified {
		u.about.add("legacy_email_verified", []byte("1"))
		o.fates = append(o.fates, fieldFate{column: "email_verified", how: "kept as legacy_email_verified", aside: true})
	}
	u.params.Email, u.params.EmailVerified = nil, false
	u.aside = &o
	return o
}
