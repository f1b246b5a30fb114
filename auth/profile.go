package auth

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"github.com/hal9-ai/hal9/model"
)

const maxName = 255

// checkUsername says what is wrong with a new user name. Names are told apart by case,
// as the original's are; what cannot be seen is refused, since two names would look
// alike. The name is to be in Unicode's composed form (NFC) already.
func checkUsername(name string) error {
	switch {
	case !utf8.ValidString(name):
		return invalid("username", "must be valid UTF-8")
	case name == "" || utf8.RuneCountInString(name) > maxName:
		return invalid("username", fmt.Sprintf("must have 1 to %d characters", maxName))
	case strings.TrimSpace(name) != name:
		return invalid("username", "must not begin or end with a space")
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return invalid("username", "must hold printable characters alone")
	default:
		return nil
	}
}

// checkEmail takes one address without a name around it.
func checkEmail(email *string) error {
	if email == nil {
		return nil
	}
	addr, err := mail.ParseAddress(*email)
	if err != nil || addr.Address != *email || utf8.RuneCountInString(*email) > maxName {
		return invalid("email", "must be an address such as ann@example.org")
	}
	return nil
}

// RegisterParams are what a stranger gives to become a user.
type RegisterParams struct {
	Username string
	Password string
	Email    *string
	Client   Client
}

// RegistrationClosed tells whether Register refuses everybody.
func (s *Service) RegistrationClosed() bool { return s.cfg.RegistrationClosed }

// Register makes a user of role user. ErrRegistrationClosed says that only admins
// make users here; ErrConflict names username or email.
func (s *Service) Register(ctx context.Context, arg RegisterParams) (model.User, error) {
	if s.cfg.RegistrationClosed {
		return model.User{}, ErrRegistrationClosed
	}
	return s.makeUser(ctx, Principal{}, UserCreateParams{
		Username: arg.Username, Password: arg.Password, Email: arg.Email, Role: RoleUser, Client: arg.Client,
	}, actUserRegister)
}

func (s *Service) makeUser(ctx context.Context, by Principal, arg UserCreateParams, action string) (model.User, error) {
	arg.Username = norm.NFC.String(arg.Username)
	if arg.Email != nil && *arg.Email == "" {
		arg.Email = nil
	}
	for _, err := range []error{checkUsername(arg.Username), checkPassword("password", arg.Password), checkEmail(arg.Email)} {
		if err != nil {
			return model.User{}, err
		}
	}
	// Before the costly hash; the unique key decides in the end.
	_, err := s.store.UserGetByUsername(ctx, model.UserGetByUsernameParams{Username: arg.Username})
	switch {
	case err == nil:
		return model.User{}, &model.Error{Kind: model.ErrConflict, Entity: "user", Field: "username"}
	case !errors.Is(err, model.ErrNotFound):
		return model.User{}, fmt.Errorf("look up the user name: %w", err)
	}
	hash, err := s.hash(ctx, arg.Password)
	if err != nil {
		return model.User{}, err
	}
	now := s.now()
	var user model.User
	err = s.store.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
		var err error
		user, err = tx.UserInsert(ctx, model.UserInsertParams{
			ID: s.ids.New(), Username: arg.Username, Email: arg.Email, PasswordHash: hash, Role: arg.Role, IsActive: true,
			CreatedAt: now, UpdatedAt: now,
		})
		if err != nil {
			return fmt.Errorf("store the user: %w", err)
		}
		who := by.UserID
		if !by.Known() && action == actUserRegister {
			who = user.ID
		}
		return s.note(ctx, tx, entry{
			by: who, action: action, resource: resourceUser, id: user.ID.String(), client: arg.Client,
			details: map[string]any{"username": arg.Username, "role": arg.Role},
		})
	})
	return user, err
}

// Profile returns the user who asks, without the password's hash.
func (s *Service) Profile(ctx context.Context, p Principal) (model.User, error) {
	u, err := s.store.UserGetProfile(ctx, model.UserGetProfileParams{ID: p.UserID})
	if err != nil {
		return model.User{}, unknown(err, "read the profile")
	}
	return model.User{
		ID: u.ID, Username: u.Username, Email: u.Email, Role: u.Role, IsActive: u.IsActive, EmailVerified: u.EmailVerified,
		CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt, LastLogin: u.LastLogin, Version: u.Version,
	}, nil
}

// ProfileUpdateParams are what a user may change of himself; nil leaves a field.
type ProfileUpdateParams struct {
	Username *string
	// Email replaces the address, which is unverified then; "" removes it.
	Email  *string
	Client Client
}

// ProfileUpdate changes the user who asks. ErrConflict names username or email.
func (s *Service) ProfileUpdate(ctx context.Context, p Principal, arg ProfileUpdateParams) (model.User, error) {
	if err := keyMayManage(p); err != nil {
		return model.User{}, err
	}
	if arg.Username != nil {
		composed := norm.NFC.String(*arg.Username)
		arg.Username = &composed
	}
	var user model.User
	err := s.store.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
		before, err := tx.UserLock(ctx, model.UserLockParams{ID: p.UserID})
		if err != nil {
			return unknown(err, "lock the user")
		}
		next := model.UserUpdateProfileParams{
			ID: before.ID, Username: before.Username, Email: before.Email, EmailVerified: before.EmailVerified, UpdatedAt: s.now(),
		}
		changed := []string{}
		if arg.Username != nil && *arg.Username != before.Username {
			if err := checkUsername(*arg.Username); err != nil {
				return err
			}
			next.Username, changed = *arg.Username, append(changed, "username")
		}
		if arg.Email != nil && (before.Email == nil || *before.Email != *arg.Email) {
			next.Email, next.EmailVerified, changed = arg.Email, false, append(changed, "email")
			if *arg.Email == "" {
				next.Email = nil
			}
			if err := checkEmail(next.Email); err != nil {
				return err
			}
		}
		if len(changed) == 0 {
			user = before
			return nil
		}
		if user, err = tx.UserUpdateProfile(ctx, next); err != nil {
			return fmt.Errorf("store the profile: %w", err)
		}
		return s.note(ctx, tx, entry{
			by: p.UserID, action: actProfileUpdate, resource: resourceUser, id: p.UserID.String(), client: arg.Client,
			details: map[string]any{"fields": changed},
		})
	})
	return user, err
}

// PasswordChangeParams are the old and the new password.
type PasswordChangeParams struct {
	Old, New string
	Client   Client
}

// PasswordChange gives the user who asks a new password and ends all his sessions,
// the one that asks too. API keys stay. ErrBadCredentials says that the old password
// is wrong.
func (s *Service) PasswordChange(ctx context.Context, p Principal, arg PasswordChangeParams) error {
	if err := checkPassword("new_password", arg.New); err != nil {
		return err
	}
	proved, err := s.proveOwn(ctx, p, arg.Old, arg.Client)
	if err != nil {
		return err
	}
	hash, err := s.hash(ctx, arg.New)
	if err != nil {
		return err
	}
	return s.replacePassword(ctx, p, p.UserID, hash, arg.Client, func(user *model.User) error {
		if user.PasswordHash != proved.PasswordHash {
			return &model.Error{Kind: model.ErrConflict, Entity: "user", Field: "old_password", Reason: "it was changed meanwhile; try again"}
		}
		return nil
	})
}

// proveOwn checks that who asks knows his own password, within the limits of a login.
func (s *Service) proveOwn(ctx context.Context, p Principal, password string, c Client) (model.User, error) {
	user, err := s.store.UserGet(ctx, model.UserGetParams{ID: p.UserID})
	if err != nil {
		return user, unknown(err, "look up the user")
	}
	attempt := s.guesses.of(user.Username, c.IP)
	if err := attempt.addressLimited(s.now()); err != nil {
		return user, s.counted(err)
	}
	if _, err := s.prove(ctx, attempt, &user, password, c); err != nil {
		return user, err
	}
	attempt.succeed(s.now())
	s.counts.success.Inc()
	return user, nil
}

// replacePassword stores a new hash and ends the user's sessions. check looks at the
// user, whose row is locked.
func (s *Service) replacePassword(ctx context.Context, by Principal, id uuid.UUID, hash string, c Client, check func(*model.User) error) error {
	return s.store.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
		user, err := tx.UserLock(ctx, model.UserLockParams{ID: id})
		if err != nil {
			return fmt.Errorf("lock the user: %w", err)
		}
		if err := check(&user); err != nil {
			return err
		}
		if _, err := tx.UserSetPassword(ctx, model.UserSetPasswordParams{ID: id, PasswordHash: hash, UpdatedAt: s.now()}); err != nil {
			return fmt.Errorf("store the password: %w", err)
		}
		ended, err := tx.SessionDeleteByUser(ctx, model.SessionDeleteByUserParams{UserID: id})
		if err != nil {
			return fmt.Errorf("end the sessions: %w", err)
		}
		return s.note(ctx, tx, entry{
			by: by.UserID, action: actPasswordChange, resource: resourceUser, id: id.String(), client: c,
			details: map[string]any{"sessions_ended": len(ended)},
		})
	})
}

// AccountDelete removes the user who asks, with sessions and keys. ErrBadCredentials
// says that the password is wrong. The last active admin stays: ErrConflict.
func (s *Service) AccountDelete(ctx context.Context, p Principal, password string, c Client) error {
	if _, err := s.proveOwn(ctx, p, password, c); err != nil {
		return err
	}
	return s.UserDelete(ctx, p, p.UserID, c)
}
