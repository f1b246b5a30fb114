package auth

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
)

// UserCreateParams are what an admin says of a new user.
type UserCreateParams struct {
	Username string
	Password string
	Role     string
	Email    *string
	Client   Client
}

// UserCreate makes a user of any role. ErrConflict names username or email.
func (s *Service) UserCreate(ctx context.Context, by Principal, arg UserCreateParams) (model.User, error) {
	if !KnownRole(arg.Role) {
		return model.User{}, errUnknownRole()
	}
	return s.makeUser(ctx, by, arg, actUserCreate)
}

func errUnknownRole() error {
	return invalid("role", "must be guest, user or admin")
}

// UserList returns users in order of their names, from the first one after
// afterUsername.
func (s *Service) UserList(ctx context.Context, afterUsername string, limit int) ([]model.User, error) {
	rows, err := s.store.UserList(ctx, model.UserListParams{AfterUsername: afterUsername, PageLimit: int64(limit)})
	if err != nil {
		return nil, fmt.Errorf("list the users: %w", err)
	}
	return rows, nil
}

// UserGet returns one user.
func (s *Service) UserGet(ctx context.Context, id uuid.UUID) (model.User, error) {
	user, err := s.store.UserGet(ctx, model.UserGetParams{ID: id})
	if err != nil {
		return model.User{}, fmt.Errorf("read the user: %w", err)
	}
	return user, nil
}

// UserGetByUsername returns the user of a name.
func (s *Service) UserGetByUsername(ctx context.Context, username string) (model.User, error) {
	user, err := s.store.UserGetByUsername(ctx, model.UserGetByUsernameParams{Username: username})
	if err != nil {
		return model.User{}, fmt.Errorf("read the user: %w", err)
	}
	return user, nil
}

// UserUpdateParams are what an admin may change of a user; nil leaves a field.
type UserUpdateParams struct {
	Role     *string
	IsActive *bool
	Client   Client
}

// UserUpdate sets a user's role and whether he may log in; who may not any more loses
// his sessions. The last active admin stays one: ErrConflict.
func (s *Service) UserUpdate(ctx context.Context, by Principal, id uuid.UUID, arg UserUpdateParams) (model.User, error) {
	if arg.Role != nil && !KnownRole(*arg.Role) {
		return model.User{}, errUnknownRole()
	}
	var user model.User
	err := s.store.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
		admins, err := lockAdmins(ctx, tx)
		if err != nil {
			return err
		}
		before, err := tx.UserLock(ctx, model.UserLockParams{ID: id})
		if err != nil {
			return fmt.Errorf("lock the user: %w", err)
		}
		next := model.UserSetRoleParams{ID: id, Role: before.Role, IsActive: before.IsActive, UpdatedAt: s.now()}
		if arg.Role != nil {
			next.Role = *arg.Role
		}
		if arg.IsActive != nil {
			next.IsActive = *arg.IsActive
		}
		if (next.Role != RoleAdmin || !next.IsActive) && admins.last(id) {
			if next.Role != RoleAdmin {
				return errLastAdmin("role")
			}
			return errLastAdmin("is_active")
		}
		if user, err = tx.UserSetRole(ctx, next); err != nil {
			return fmt.Errorf("store the role: %w", err)
		}
		if !next.IsActive {
			if _, err := tx.SessionDeleteByUser(ctx, model.SessionDeleteByUserParams{UserID: id}); err != nil {
				return fmt.Errorf("end the sessions: %w", err)
			}
		}
		return s.note(ctx, tx, entry{
			by: by.UserID, action: actUserUpdate, resource: resourceUser, id: id.String(), client: arg.Client,
			details: map[string]any{
				"role":      map[string]any{"from": before.Role, "to": next.Role},
				"is_active": map[string]any{"from": before.IsActive, "to": next.IsActive},
			},
		})
	})
	return user, err
}

// UserSetPassword gives a user a new password and ends his sessions.
func (s *Service) UserSetPassword(ctx context.Context, by Principal, id uuid.UUID, password string, c Client) error {
	if err := checkPassword("password", password); err != nil {
		return err
	}
	hash, err := s.hash(ctx, password)
	if err != nil {
		return err
	}
	return s.replacePassword(ctx, by, id, hash, c, func(*model.User) error { return nil })
}

// UserDelete removes a user with sessions and keys. The last active admin stays:
// ErrConflict.
func (s *Service) UserDelete(ctx context.Context, by Principal, id uuid.UUID, c Client) error {
	return s.store.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
		admins, err := lockAdmins(ctx, tx)
		if err != nil {
			return err
		}
		if admins.last(id) {
			return errLastAdmin("id")
		}
		user, err := tx.UserLock(ctx, model.UserLockParams{ID: id})
		if err != nil {
			return fmt.Errorf("lock the user: %w", err)
		}
		// What goes with the user goes by itself, so that the caches hear of it.
		if _, err := tx.SessionDeleteByUser(ctx, model.SessionDeleteByUserParams{UserID: id}); err != nil {
			return fmt.Errorf("end the sessions: %w", err)
		}
		if _, err := tx.APIKeyDeleteByUser(ctx, model.APIKeyDeleteByUserParams{UserID: id}); err != nil {
			return fmt.Errorf("delete the API keys: %w", err)
		}
		if _, err := tx.UserDelete(ctx, model.UserDeleteParams{ID: id}); err != nil {
			return fmt.Errorf("delete the user: %w", err)
		}
		return s.note(ctx, tx, entry{
			by: by.UserID, action: actUserDelete, resource: resourceUser, id: id.String(), client: c,
			details: map[string]any{"username": user.Username, "role": user.Role},
		})
	})
}

type adminIDs []uuid.UUID

// lockAdmins keeps two transactions from taking each other's last admin away.
func lockAdmins(ctx context.Context, tx model.Tx) (adminIDs, error) {
	ids, err := tx.UserLockByRole(ctx, model.UserLockByRoleParams{Role: RoleAdmin})
	if err != nil {
		return nil, fmt.Errorf("lock the admins: %w", err)
	}
	return ids, nil
}

// last tells whether the user is the only active admin.
func (a adminIDs) last(id uuid.UUID) bool { return len(a) == 1 && a[0] == id }

// errLastAdmin names what of the user would take the last admin away, "" for himself.
func errLastAdmin(field string) error {
	return &model.Error{Kind: model.ErrConflict, Entity: "user", Field: field, Reason: "this is the last active admin; make another one first"}
}
