package auth

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
)

// KeyScopes reads the scopes of a stored key. Names that are no scopes, as imported
// keys may have, grant nothing.
func KeyScopes(permissions model.JSON) ScopeSet {
	var names []string
	if err := json.Unmarshal(permissions, &names); err != nil {
		return 0
	}
	var set ScopeSet
	for _, name := range names {
		set |= Scope(name).bit()
	}
	return set
}

// maxKeys is how many keys a user may have: enough for one per program, and no way to
// fill the database.
const maxKeys = 100

// keyMayManage refuses to change an account for an API key without the scope to: who
// finds a key that may only read must not get a key that may do more.
func keyMayManage(p Principal) error {
	if p.KeyID != uuid.Nil && !p.Scopes.Has(ScopeManageAPIKeys) {
		return fmt.Errorf("%w: this API key lacks the scope %s", ErrForbidden, ScopeManageAPIKeys)
	}
	return nil
}

// APIKeyCreateParams are what a new key is to be.
type APIKeyCreateParams struct {
	Name string
	// Scopes are names; none stand for all that the owner has now.
	Scopes []string
	// ExpiresAt is nil for a key that does not expire.
	ExpiresAt *time.Time
	Client    Client
}

// APIKeyCreate makes a key for the user who asks. Its text is returned here and
// never again. One that is made with a key that expires lives no longer than that. Scopes
// that the asker does not have himself are ErrInvalid; a key too many is ErrConflict.
func (s *Service) APIKeyCreate(ctx context.Context, p Principal, arg APIKeyCreateParams) (model.APIKey, string, error) {
	if err := keyMayManage(p); err != nil {
		return model.APIKey{}, "", err
	}
	scopes, err := s.checkKey(p.Scopes, &arg)
	if err != nil {
		return model.APIKey{}, "", err
	}
	var key model.APIKey
	var plaintext string
	err = s.store.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
		// The lock makes the count exact.
		if _, err := tx.UserLock(ctx, model.UserLockParams{ID: p.UserID}); err != nil {
			return unknown(err, "lock the user")
		}
		keys, err := tx.APIKeyListByUser(ctx, model.APIKeyListByUserParams{UserID: p.UserID, PageLimit: maxKeys})
		if err != nil {
			return fmt.Errorf("count the API keys: %w", err)
		}
		if len(keys) == maxKeys {
			return &model.Error{Kind: model.ErrConflict, Entity: "api_key", Reason: fmt.Sprintf("there are %d already; delete one first", maxKeys)}
		}
		if arg.ExpiresAt, err = expiryUnder(p.KeyID, keys, arg.ExpiresAt); err != nil {
			return err
		}
		key, plaintext, err = s.insertKey(ctx, tx, p, p.UserID, arg, scopes)
		return err
	})
	if err != nil {
		return model.APIKey{}, "", err
	}
	return key, plaintext, nil
}

// expiryUnder is when a key expires that is made with another one of the same user's, or
// after a login if maker is zero: who found a key that is good for a day must not make
// himself one for ever.
func expiryUnder(maker uuid.UUID, keys []model.APIKey, wanted *time.Time) (*time.Time, error) {
	if maker == uuid.Nil {
		return wanted, nil
	}
	for i := range keys {
		switch most := keys[i].ExpiresAt; {
		case keys[i].ID != maker:
			continue
		case !keys[i].IsActive:
			return nil, ErrUnauthenticated // revoked since the request came
		case most == nil:
			return wanted, nil
		case wanted == nil:
			return most, nil
		case wanted.After(*most):
			return nil, &model.Error{
				Kind: model.ErrInvalid, Entity: "api_key", Field: "expires_at",
				Reason: "must not be later than that of the key that makes it, " + most.UTC().Format(time.RFC3339),
			}
		default:
			return wanted, nil
		}
	}
	return nil, ErrUnauthenticated // deleted since the request came
}

func (s *Service) checkKey(most ScopeSet, arg *APIKeyCreateParams) (ScopeSet, error) {
	bad := func(field, reason string) error {
		return &model.Error{Kind: model.ErrInvalid, Entity: "api_key", Field: field, Reason: reason}
	}
	if n := utf8.RuneCountInString(arg.Name); n < 1 || n > maxName || strings.ContainsFunc(arg.Name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return 0, bad("name", fmt.Sprintf("must have 1 to %d printable characters", maxName))
	}
	if arg.ExpiresAt != nil && !arg.ExpiresAt.After(s.now()) {
		return 0, bad("expires_at", "must lie in the future")
	}
	if len(arg.Scopes) == 0 {
		return most, nil
	}
	scopes, err := ParseScopes(arg.Scopes)
	if err != nil {
		return 0, bad("permissions", err.Error())
	}
	if more := scopes &^ most; more != 0 {
		return 0, bad("permissions", "must not hold a scope that you do not have yourself: "+more.List()[0])
	}
	return scopes, nil
}

func (s *Service) insertKey(ctx context.Context, tx model.Tx, by Principal, owner uuid.UUID, arg APIKeyCreateParams, scopes ScopeSet) (model.APIKey, string, error) {
	permissions, err := json.Marshal(scopes.List())
	if err != nil {
		return model.APIKey{}, "", fmt.Errorf("write the scopes: %w", err)
	}
	plaintext := newToken(prefixKey)
	key, err := tx.APIKeyInsert(ctx, model.APIKeyInsertParams{
		ID: s.ids.New(), UserID: owner, Name: arg.Name, KeyHash: hashToken(plaintext), Permissions: permissions,
		IsActive: true, CreatedAt: s.now(), ExpiresAt: arg.ExpiresAt,
	})
	if err != nil {
		return key, "", fmt.Errorf("store the API key: %w", err)
	}
	return key, plaintext, s.note(ctx, tx, entry{
		by: by.UserID, action: actKeyCreate, resource: resourceKey, id: key.ID.String(), client: arg.Client,
		details: map[string]any{"name": arg.Name, "owner": owner.String(), "scopes": scopes.List()},
	})
}

// APIKeyList returns the keys of the user who asks, the newest first.
func (s *Service) APIKeyList(ctx context.Context, p Principal) ([]model.APIKey, error) {
	return s.UserAPIKeys(ctx, p.UserID)
}

// UserAPIKeys returns a user's keys, the newest first.
func (s *Service) UserAPIKeys(ctx context.Context, userID uuid.UUID) ([]model.APIKey, error) {
	rows, err := s.store.APIKeyListByUser(ctx, model.APIKeyListByUserParams{UserID: userID, PageLimit: maxOwn})
	if err != nil {
		return nil, fmt.Errorf("list the API keys: %w", err)
	}
	return rows, nil
}

// APIKeyRevoke makes one key of the user who asks void for good; another's is
// ErrNotFound.
func (s *Service) APIKeyRevoke(ctx context.Context, p Principal, id uuid.UUID, c Client) (model.APIKey, error) {
	if err := keyMayManage(p); err != nil {
		return model.APIKey{}, err
	}
	return s.AdminAPIKeyRevoke(ctx, p, p.UserID, id, c)
}

// AdminAPIKeyRevoke makes a user's key void for good.
func (s *Service) AdminAPIKeyRevoke(ctx context.Context, by Principal, userID, id uuid.UUID, c Client) (model.APIKey, error) {
	var key model.APIKey
	err := s.store.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
		var err error
		if key, err = tx.APIKeyRevoke(ctx, model.APIKeyRevokeParams{ID: id, UserID: userID}); err != nil {
			return fmt.Errorf("revoke the API key: %w", err)
		}
		return s.note(ctx, tx, entry{by: by.UserID, action: actKeyRevoke, resource: resourceKey, id: id.String(), client: c})
	})
	return key, err
}

// APIKeyDelete removes one key of the user who asks; another's is ErrNotFound.
func (s *Service) APIKeyDelete(ctx context.Context, p Principal, id uuid.UUID, c Client) error {
	if err := keyMayManage(p); err != nil {
		return err
	}
	return s.AdminAPIKeyDelete(ctx, p, p.UserID, id, c)
}

// AdminAPIKeyDelete removes a user's key.
func (s *Service) AdminAPIKeyDelete(ctx context.Context, by Principal, userID, id uuid.UUID, c Client) error {
	return s.store.InTx(ctx, func(ctx context.Context, tx model.Tx) error {
		if _, err := tx.APIKeyDelete(ctx, model.APIKeyDeleteParams{ID: id, UserID: userID}); err != nil {
			return fmt.Errorf("delete the API key: %w", err)
		}
		return s.note(ctx, tx, entry{by: by.UserID, action: actKeyDelete, resource: resourceKey, id: id.String(), client: c})
	})
}
