package storetest

import (
	"testing"
	"time"

	"github.com/hal9-ai/hal9/model"
)

func testUsers(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	u := must[model.User](t)
	ann := u(b.UserInsert(ctx, b.user("ann")))
	equal(t, "email", *ann.Email, "ann@example.org")
	if !ann.IsActive || ann.EmailVerified || ann.LastLogin != nil {
		t.Fatalf("a new user reads back as %+v", ann)
	}
	for _, get := range []func() (model.User, error){
		func() (model.User, error) { return b.UserGet(ctx, model.UserGetParams{ID: ann.ID}) },
		func() (model.User, error) {
			return b.UserGetByUsername(ctx, model.UserGetByUsernameParams{Username: "ann"})
		},
		func() (model.User, error) {
			return b.UserGetByEmail(ctx, model.UserGetByEmailParams{Email: "ann@example.org"})
		},
	} {
		equal(t, "id", u(get()).ID, ann.ID)
	}
	twice := b.user("ann")
	twice.Email = nil
	_, err := b.UserInsert(ctx, twice)
	wantError(t, err, model.ErrConflict, "user", "username")
	sameMail := b.user("bob")
	sameMail.Email = ann.Email
	_, err = b.UserInsert(ctx, sameMail)
	wantError(t, err, model.ErrConflict, "user", "email")
	for _, name := range []string{"carl", "dora"} { // no email is no conflict
		p := b.user(name)
		p.Email = nil
		u(b.UserInsert(ctx, p))
	}
	_, err = b.UserUpdateProfile(ctx, model.UserUpdateProfileParams{ID: ann.ID, Username: "carl", UpdatedAt: b.now})
	wantError(t, err, model.ErrConflict, "user", "username")

	role := u(b.UserSetRole(ctx, model.UserSetRoleParams{ID: ann.ID, Role: "admin", IsActive: true, UpdatedAt: b.now}))
	equal(t, "role", role.Role, "admin")
	equal(t, "admins", must[int64](t)(b.UserCountByRole(ctx, model.UserCountByRoleParams{Role: "admin"})), 1)
	equal(t, "hash", u(b.UserSetPassword(ctx, model.UserSetPasswordParams{ID: ann.ID, PasswordHash: "new", UpdatedAt: b.now})).PasswordHash, "new")
	equal(t, "login", *u(b.UserSetLastLogin(ctx, model.UserSetLastLoginParams{ID: ann.ID, LastLogin: b.now})).LastLogin, b.now)
	equal(t, "last login", *u(b.UserGet(ctx, model.UserGetParams{ID: ann.ID})).LastLogin, b.now)

	page := must[[]model.User](t)(b.UserList(ctx, model.UserListParams{AfterUsername: "ann", PageLimit: 1}))
	equal(t, "the name after ann", page[0].Username, "carl")

	imported := model.UserImportParams{ID: b.id(), Username: "old", PasswordHash: "$2b$12$x", Role: "user", IsActive: true, CreatedAt: b.now, UpdatedAt: b.now, LastLogin: &b.now}
	equal(t, "imported", must[int64](t)(b.UserImport(ctx, imported)), 1)
	equal(t, "imported again", must[int64](t)(b.UserImport(ctx, imported)), 0)
	imported.ID = b.id()
	_, err = b.UserImport(ctx, imported)
	wantError(t, err, model.ErrConflict, "user", "username")
}

func testSessions(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	s := must[model.Session](t)
	ann := must[model.User](t)(b.UserInsert(ctx, b.user("ann")))
	made := s(b.SessionInsert(ctx, b.session(ann.ID, "hash-1")))
	equal(t, "by hash", s(b.SessionGetByTokenHash(ctx, model.SessionGetByTokenHashParams{TokenHash: "hash-1"})).ID, made.ID)
	_, err := b.SessionInsert(ctx, b.session(ann.ID, "hash-1"))
	wantError(t, err, model.ErrConflict, "session", "token_hash")
	_, err = b.SessionInsert(ctx, b.session(b.id(), "hash-x"))
	wantError(t, err, model.ErrInvalid, "session", "user_id")

	rotate := model.SessionRotateParams{ID: made.ID, OldTokenHash: "hash-1", TokenHash: "hash-2", ExpiresAt: b.now.Add(time.Hour)}
	locked := s(b.SessionLock(ctx, model.SessionLockParams{ID: made.ID}))
	equal(t, "a lock changes nothing", locked.Version, made.Version)
	equal(t, "the hash to rotate", locked.TokenHash, "hash-1")
	s(b.SessionRotate(ctx, rotate))
	_, err = b.SessionRotate(ctx, rotate)
	wantError(t, err, model.ErrNotFound, "session", "")
	_, err = b.SessionGetByTokenHash(ctx, model.SessionGetByTokenHashParams{TokenHash: "hash-1"})
	wantError(t, err, model.ErrNotFound, "session", "")
	second := s(b.SessionInsert(ctx, b.session(ann.ID, "hash-3")))
	list := must[[]model.Session](t)(b.SessionListByUser(ctx, model.SessionListByUserParams{UserID: ann.ID}))
	equal(t, "sessions", len(list), 2)
	equal(t, "newest first", list[0].ID, second.ID)

	_, err = b.SessionDelete(ctx, model.SessionDeleteParams{ID: made.ID, UserID: b.id()})
	wantError(t, err, model.ErrNotFound, "session", "") // another's
	equal(t, "one's own", s(b.SessionDelete(ctx, model.SessionDeleteParams{ID: made.ID, UserID: ann.ID})).TokenHash, "hash-2")
	all := must[[]model.SessionDeleteByUserRow](t)(b.SessionDeleteByUser(ctx, model.SessionDeleteByUserParams{UserID: ann.ID}))
	equal(t, "all of a user", len(all), 1)
	equal(t, "hash of the session that ended", all[0].TokenHash, "hash-3")
	equal(t, "sessions left", len(must[[]model.Session](t)(b.SessionListByUser(ctx, model.SessionListByUserParams{UserID: ann.ID}))), 0)

	for i, age := range []time.Duration{-3 * time.Hour, -2 * time.Hour, time.Hour} {
		p := b.session(ann.ID, string(rune('a'+i)))
		p.ExpiresAt = b.now.Add(age)
		s(b.SessionInsert(ctx, p))
	}
	refreshable := b.session(ann.ID, "refreshable")
	refreshable.ExpiresAt = b.now.Add(-time.Hour)
	s(b.SessionInsert(ctx, refreshable))
	ok(t, b.RefreshTokenInsert(ctx, model.RefreshTokenInsertParams{ID: b.id(), SessionID: refreshable.ID, TokenHash: "r", ExpiresAt: b.now.Add(time.Hour), CreatedAt: b.now}))
	expire := func(limit int64) int {
		t.Helper()
		return len(must[[]model.SessionDeleteExpiredRow](t)(b.SessionDeleteExpired(ctx, model.SessionDeleteExpiredParams{ExpiredBefore: b.now, PageLimit: limit})))
	}
	equal(t, "a chunk", expire(1), 1)
	equal(t, "the rest, but not the one that can be refreshed", expire(10), 1)
	equal(t, "nothing left", expire(10), 0)
}

func testRefreshTokens(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	ann := must[model.User](t)(b.UserInsert(ctx, b.user("ann")))
	session := must[model.Session](t)(b.SessionInsert(ctx, b.session(ann.ID, "h")))
	token := model.RefreshTokenInsertParams{ID: b.id(), SessionID: session.ID, TokenHash: "r1", ExpiresAt: b.now.Add(-time.Hour), CreatedAt: b.now}
	ok(t, b.RefreshTokenInsert(ctx, token))
	orphan := token
	orphan.ID, orphan.SessionID, orphan.TokenHash = b.id(), b.id(), "r2"
	wantError(t, b.RefreshTokenInsert(ctx, orphan), model.ErrInvalid, "refresh_token", "session_id")
	wantError(t, b.RefreshTokenInsert(ctx, model.RefreshTokenInsertParams{ID: b.id(), SessionID: session.ID, TokenHash: "r1", ExpiresAt: b.now, CreatedAt: b.now}),
		model.ErrConflict, "refresh_token", "token_hash")

	spend := func() int64 {
		t.Helper()
		return must[int64](t)(b.RefreshTokenSpend(ctx, model.RefreshTokenSpendParams{ID: token.ID, SpentAt: b.now}))
	}
	equal(t, "spent", spend(), 1)
	equal(t, "spent twice", spend(), 0)
	got := must[model.RefreshToken](t)(b.RefreshTokenGetByHash(ctx, model.RefreshTokenGetByHashParams{TokenHash: "r1"}))
	equal(t, "spent at", *got.SpentAt, b.now)
	equal(t, "expired", must[int64](t)(b.RefreshTokenDeleteExpired(ctx, model.RefreshTokenDeleteExpiredParams{ExpiredBefore: b.now, PageLimit: 5})), 1)
}

func testAPIKeys(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	k := must[model.APIKey](t)
	ann := must[model.User](t)(b.UserInsert(ctx, b.user("ann")))
	key := k(b.APIKeyInsert(ctx, b.apiKey(ann.ID, "k1")))
	equalJSON(t, "permissions", key.Permissions, `["ViewNeuron"]`)
	_, err := b.APIKeyInsert(ctx, b.apiKey(ann.ID, "k1"))
	wantError(t, err, model.ErrConflict, "api_key", "key_hash")
	_, err = b.APIKeyInsert(ctx, b.apiKey(b.id(), "k2"))
	wantError(t, err, model.ErrInvalid, "api_key", "user_id")
	equal(t, "used", *k(b.APIKeySetLastUsed(ctx, model.APIKeySetLastUsedParams{ID: key.ID, LastUsedAt: b.now})).LastUsedAt, b.now)
	_, err = b.APIKeySetLastUsed(ctx, model.APIKeySetLastUsedParams{ID: key.ID, LastUsedAt: b.now})
	wantError(t, err, model.ErrNotFound, "api_key", "") // noted already
	_, err = b.APIKeyRevoke(ctx, model.APIKeyRevokeParams{ID: key.ID, UserID: b.id()})
	wantError(t, err, model.ErrNotFound, "api_key", "")
	if k(b.APIKeyRevoke(ctx, model.APIKeyRevokeParams{ID: key.ID, UserID: ann.ID})).IsActive {
		t.Fatal("a revoked key is active")
	}
	equal(t, "last used", *k(b.APIKeyGetByHash(ctx, model.APIKeyGetByHashParams{KeyHash: "k1"})).LastUsedAt, b.now)
	equal(t, "keys", len(must[[]model.APIKey](t)(b.APIKeyListByUser(ctx, model.APIKeyListByUserParams{UserID: ann.ID, PageLimit: 5}))), 1)
	_, err = b.APIKeyDelete(ctx, model.APIKeyDeleteParams{ID: key.ID, UserID: b.id()})
	wantError(t, err, model.ErrNotFound, "api_key", "") // another's
	equal(t, "deleted", k(b.APIKeyDelete(ctx, model.APIKeyDeleteParams{ID: key.ID, UserID: ann.ID})).KeyHash, "k1")
	_, err = b.APIKeyGetByHash(ctx, model.APIKeyGetByHashParams{KeyHash: "k1"})
	wantError(t, err, model.ErrNotFound, "api_key", "")
}

func testUserDeleteCascades(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	ann := must[model.User](t)(b.UserInsert(ctx, b.user("ann")))
	session := must[model.Session](t)(b.SessionInsert(ctx, b.session(ann.ID, "h")))
	ok(t, b.RefreshTokenInsert(ctx, model.RefreshTokenInsertParams{ID: b.id(), SessionID: session.ID, TokenHash: "r", ExpiresAt: b.now, CreatedAt: b.now}))
	must[model.APIKey](t)(b.APIKeyInsert(ctx, b.apiKey(ann.ID, "k")))
	must[model.APIKey](t)(b.APIKeyGetByHash(ctx, model.APIKeyGetByHashParams{KeyHash: "k"}))
	must[model.Session](t)(b.SessionGetByTokenHash(ctx, model.SessionGetByTokenHashParams{TokenHash: "h"}))
	_, err := b.UserDelete(ctx, model.UserDeleteParams{ID: ann.ID})
	wantError(t, err, model.ErrNotFound, "user", "") // not while there is a session or a key
	equal(t, "sessions", len(must[[]model.SessionDeleteByUserRow](t)(b.SessionDeleteByUser(ctx, model.SessionDeleteByUserParams{UserID: ann.ID}))), 1)
	_, err = b.UserDelete(ctx, model.UserDeleteParams{ID: ann.ID})
	wantError(t, err, model.ErrNotFound, "user", "")
	equal(t, "keys", len(must[[]model.APIKeyDeleteByUserRow](t)(b.APIKeyDeleteByUser(ctx, model.APIKeyDeleteByUserParams{UserID: ann.ID}))), 1)
	equal(t, "version", must[model.UserDeleteRow](t)(b.UserDelete(ctx, model.UserDeleteParams{ID: ann.ID})).Version, ann.Version)
	_, err = b.SessionGetByTokenHash(ctx, model.SessionGetByTokenHashParams{TokenHash: "h"})
	wantError(t, err, model.ErrNotFound, "session", "")
	_, err = b.RefreshTokenGetByHash(ctx, model.RefreshTokenGetByHashParams{TokenHash: "r"})
	wantError(t, err, model.ErrNotFound, "refresh_token", "")
	_, err = b.APIKeyGetByHash(ctx, model.APIKeyGetByHashParams{KeyHash: "k"})
	wantError(t, err, model.ErrNotFound, "api_key", "")
}
