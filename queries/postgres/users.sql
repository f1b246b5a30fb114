-- name: UserInsert :one
-- UserInsert stores a new user. ErrConflict names username or email when another user has it.
-- invalidates: user:{id}
INSERT INTO users (id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login, version)
VALUES (@id, @username, @email, @password_hash, @role, @is_active, @email_verified, @created_at, @updated_at, @last_login, nextval('row_version_seq'))
RETURNING id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login, version;

-- name: UserImport :execrows
-- UserImport stores a user that another database held, unless the id is there
-- already; it returns the number of rows written. ErrConflict names username or email.
-- invalidates: user:{id}
INSERT INTO users (id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login, version)
VALUES (@id, @username, @email, @password_hash, @role, @is_active, @email_verified, @created_at, @updated_at, @last_login, nextval('row_version_seq'))
ON CONFLICT (id) DO NOTHING;

-- name: UserGet :one
-- UserGet returns one user, ErrNotFound if there is none.
SELECT id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login, version
FROM users
WHERE id = @id;

-- name: UserGetProfile :one
-- UserGetProfile returns one user without the password's hash, which no cache is to
-- hold; ErrNotFound if there is none.
-- returns: UserProfile
-- cache: user:{id}
SELECT id, username, email, role, is_active, email_verified, created_at, updated_at, last_login, version
FROM users
WHERE id = @id;

-- name: UserGetByUsername :one
-- UserGetByUsername returns one user, ErrNotFound if there is none.
SELECT id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login, version
FROM users
WHERE username = @username;

-- name: UserGetByEmail :one
-- UserGetByEmail returns one user, ErrNotFound if there is none.
SELECT id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login, version
FROM users
WHERE email = @email::text;

-- name: UserList :many
-- UserList returns the users in order of their names, from the first one after
-- after_username ('' for the first page).
-- read: replica
SELECT id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login, version
FROM users
WHERE username > @after_username
ORDER BY username
LIMIT @page_limit::bigint;

-- name: UserUpdateProfile :one
-- UserUpdateProfile sets what a user may change of himself. A new email is unverified
-- until email_verified says otherwise.
-- invalidates: user:{id}
UPDATE users
SET username = @username, email = @email, email_verified = @email_verified, updated_at = @updated_at, version = nextval('row_version_seq')
WHERE id = @id
RETURNING id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login, version;

-- name: UserSetPassword :one
-- UserSetPassword replaces the password hash. It leaves sessions alone: the caller
-- deletes them in the same transaction.
-- invalidates: user:{id}
UPDATE users
SET password_hash = @password_hash, updated_at = @updated_at, version = nextval('row_version_seq')
WHERE id = @id
RETURNING id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login, version;

-- name: UserSetRole :one
-- UserSetRole sets the role and whether the user may log in.
-- invalidates: user:{id}
UPDATE users
SET role = @role, is_active = @is_active, updated_at = @updated_at, version = nextval('row_version_seq')
WHERE id = @id
RETURNING id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login, version;

-- name: UserSetLastLogin :one
-- UserSetLastLogin notes a login; ErrNotFound if there is no such user.
-- invalidates: user:{id}
UPDATE users
SET last_login = @last_login::timestamptz, version = nextval('row_version_seq')
WHERE id = @id
RETURNING id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login, version;

-- name: UserDelete :one
-- UserDelete removes a user who has no sessions and no API keys, and returns the last
-- version; ErrNotFound if there is none such. SessionDeleteByUser and
-- APIKeyDeleteByUser go before it, in the same transaction: they know what is cached.
-- invalidates: user:{id}, user:{id}:sessions
-- invalidates: nothing of session:{token_hash} and api_key:{key_hash}, because a user who has any is not deleted
DELETE FROM users
WHERE users.id = @id
  AND NOT EXISTS (SELECT 1 FROM sessions AS s WHERE s.user_id = @id)
  AND NOT EXISTS (SELECT 1 FROM api_keys AS k WHERE k.user_id = @id)
RETURNING users.id, users.version;

-- name: UserCountByRole :one
-- UserCountByRole counts the active users of a role.
SELECT count(*)
FROM users
WHERE role = @role AND is_active;

-- name: UserListClaims :many
-- UserListClaims returns the users that have one of the ids, usernames or emails, all
-- three JSON arrays of strings, in order of their ids.
SELECT id, username, email
FROM users
WHERE id = ANY (ARRAY(SELECT CAST(wanted AS uuid) FROM jsonb_array_elements_text(@ids::jsonb) AS wanted))
UNION
SELECT id, username, email
FROM users
WHERE username = ANY (ARRAY(SELECT wanted FROM jsonb_array_elements_text(@usernames::jsonb) AS wanted))
UNION
SELECT id, username, email
FROM users
WHERE email = ANY (ARRAY(SELECT wanted FROM jsonb_array_elements_text(@emails::jsonb) AS wanted))
ORDER BY id;

-- name: UserGetFirstByRole :one
-- UserGetFirstByRole returns the oldest active user of a role, ErrNotFound if there is none.
SELECT id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login, version
FROM users
WHERE role = @role AND is_active
ORDER BY created_at, id
LIMIT 1;

-- name: UserLockByRole :many
-- UserLockByRole returns the ids of the active users of a role, and keeps others from
-- changing these users until the transaction ends.
-- invalidates: nothing, because it changes nothing
UPDATE users
SET role = role
WHERE role = @role AND is_active
RETURNING id;

-- name: UserLock :one
-- UserLock returns one user, ErrNotFound if there is none, and keeps others from
-- changing the user until the transaction ends. It changes nothing itself.
-- invalidates: nothing, because it changes nothing
UPDATE users
SET role = role
WHERE id = @id
RETURNING id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login, version;

-- name: UserCountBcrypt :one
-- UserCountBcrypt tells whether there are users whose password hash is bcrypt's, as
-- that of imported ones is: 1 if so, otherwise 0. It reads users until it finds one.
SELECT count(*)
FROM (SELECT 1 AS found FROM users WHERE substr(password_hash, 1, 2) = '$2' LIMIT 1) AS hits;
