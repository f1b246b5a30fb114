package auth

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/hal9-ai/hal9/model"
)

// adminName is the user whom the first key belongs to.
const adminName = "admin"

// noPassword is a hash that no password belongs to: who has only keys cannot log in
// until a password is set.
const noPassword = "!"

// AdminKeyCreate makes an API key with all scopes for the oldest active admin, and
// makes the user admin first if there is none. It is the first way in and the way
// back in, for who holds the database. Where a user called admin is no active admin,
// it makes admin-2 and so on: somebody else may have taken the name, and must not
// become admin by it.
func (s *Service) AdminKeyCreate(ctx context.Context, name string) (plaintext string, key model.APIKey, err error) {
	arg := APIKeyCreateParams{Name: name, Client: Client{UserAgent: "hal9 command line"}}
	if _, err := s.checkKey(RoleScopes(RoleAdmin), &arg); err != nil {
		return "", key, err
	}
	const names = 100
	for n := 1; n <= names; n++ {
		user := adminName
		if n > 1 {
			user += "-" + strconv.Itoa(n)
		}
		plaintext, key, err = s.adminKey(ctx, user, arg)
		// A name that is taken: by a stranger, or by an admin whom another command
		// made at this moment, and who is found next time.
		if !errors.Is(err, model.ErrConflict) {
			break
		}
	}
	return plaintext, key, err
}

// adminKey makes a key for the oldest active admin, or for a new one of the name.
func (s *Service) adminKey(ctx context.Context, username string, arg APIKeyCreateParams) (plaintext string, key model.APIKey, err error) {
	err = s.store.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
		admin, err := tx.UserGetFirstByRole(ctx, model.UserGetFirstByRoleParams{Role: RoleAdmin})
		if errors.Is(err, model.ErrNotFound) {
			admin, err = s.insertAdmin(ctx, tx, username, arg.Client)
		}
		if err != nil {
			return fmt.Errorf("find or make an admin: %w", err)
		}
		key, plaintext, err = s.insertKey(ctx, tx, Principal{UserID: admin.ID}, admin.ID, arg, RoleScopes(RoleAdmin))
		return err
	})
	if err != nil {
		return "", model.APIKey{}, err
	}
	return plaintext, key, nil
}

func (s *Service) insertAdmin(ctx context.Context, tx model.Tx, name string, c Client) (model.User, error) {
	now := s.now()
	user, err := tx.UserInsert(ctx, model.UserInsertParams{
		ID: s.ids.New(), Username: name, PasswordHash: noPassword, Role: RoleAdmin, IsActive: true, CreatedAt: now, UpdatedAt: now,
	})
	if err != nil {
		return user, fmt.Errorf("store the user: %w", err)
	}
	return user, s.note(ctx, tx, entry{
		by: user.ID, action: actUserCreate, resource: resourceUser, id: user.ID.String(), client: c,
		details: map[string]any{"username": name, "role": RoleAdmin},
	})
}

// FirstAdminKey makes the user admin with a key, if the database has no user at all.
// Of two servers that start together one makes it: the other meets the unique name.
func (s *Service) FirstAdminKey(ctx context.Context) (plaintext string, made bool, err error) {
	arg := APIKeyCreateParams{Name: "first admin key", Client: Client{UserAgent: "first start of the server"}}
	err = s.store.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
		users, err := tx.UserList(ctx, model.UserListParams{PageLimit: 1})
		if err != nil {
			return fmt.Errorf("look for users: %w", err)
		}
		if len(users) > 0 {
			return nil
		}
		admin, err := s.insertAdmin(ctx, tx, adminName, arg.Client)
		if err != nil {
			return fmt.Errorf("make the first admin: %w", err)
		}
		if _, plaintext, err = s.insertKey(ctx, tx, Principal{UserID: admin.ID}, admin.ID, arg, RoleScopes(RoleAdmin)); err != nil {
			return err
		}
		made = true
		return nil
	})
	switch {
	case errors.Is(err, model.ErrConflict):
		return "", false, nil
	case err != nil:
		return "", false, err
	default:
		return plaintext, made, nil
	}
}
