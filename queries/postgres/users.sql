-- name: UserInsert :one
-- UserInsert stores a new user. ErrConflict names username or email when another user has it.
INSERT INTO users (id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login, version)
VALUES (@id, @username, @email, @password_hash, @role, @is_active, @email_verified, @created_at, @updated_at, @last_login, nextval('row_version_seq'))
RETURNING id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login, version;

-- name: UserImport :execrows
-- UserImport stores a user that another database held, unless the id is there
-- already; it returns the number of rows written. ErrConflict names username or email.
INSERT INTO users (id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login, version)
VALUES (@id, @username, @email, @password_hash, @role, @is_active, @email_verified, @created_at, @updated_at, @last_login, nextval('row_version_seq'))
ON CONFLICT (id) DO NOTHING;

-- name: UserGet :one
-- UserGet returns one user, ErrNotFound if there is none.
SELECT id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login, version
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
SELECT id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login, version
FROM users
WHERE username > @after_username
ORDER BY username
LIMIT @page_limit::bigint;

-- name: UserUpdateProfile :one
-- UserUpdateProfile sets what a user may change of himself. A new email is unverified
-- until email_verified says otherwise.
UPDATE users
SET username = @username, email = @email, email_verified = @email_verified, updated_at = @updated_at, version = nextval('row_version_seq')
WHERE id = @id
RETURNING id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login, version;

-- name: UserSetPassword :one
-- UserSetPassword replaces the password hash. It leaves sessions alone: the caller
-- deletes them in the same transaction.
UPDATE users
SET password_hash = @password_hash, updated_at = @updated_at, version = nextval('row_version_seq')
WHERE id = @id
RETURNING id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login, version;

-- name: UserSetRole :one
-- UserSetRole sets the role and whether the user may log in.
UPDATE users
SET role = @role, is_active = @is_active, updated_at = @updated_at, version = nextval('row_version_seq')
WHERE id = @id
RETURNING id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login, version;

-- name: UserSetLastLogin :execrows
-- UserSetLastLogin notes a login.
UPDATE users
SET last_login = @last_login::timestamptz, version = nextval('row_version_seq')
WHERE id = @id;

-- name: UserDelete :execrows
-- UserDelete removes a user with all sessions, refresh tokens and API keys.
DELETE FROM users
WHERE id = @id;

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
UPDATE users
SET role = role
WHERE role = @role AND is_active
RETURNING id;

-- name: UserLock :one
-- UserLock returns one user, ErrNotFound if there is none, and keeps others from
-- changing the user until the transaction ends. It changes nothing itself.
UPDATE users
SET role = role
WHERE id = @id
RETURNING id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login, version;

-- name: UserCountBcrypt :one
-- UserCountBcrypt tells whether there are users whose password hash is bcrypt's, as
-- that of imported ones is: 1 if so, otherwise 0. It reads users until it finds one.
SELECT count(*)
FROM (SELECT 1 AS found FROM users WHERE substr(password_hash, 1, 2) = '$2' LIMIT 1) AS hits;
