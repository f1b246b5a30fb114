-- name: UserInsert :one
-- invalidates: user:{id}
INSERT INTO users (id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login, version)
VALUES (@id, @username, @email, @password_hash, @role, @is_active, @email_verified, @created_at, @updated_at, @last_login, (SELECT value + 1 FROM row_version))
RETURNING id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login, version;

-- name: UserImport :execrows
-- invalidates: user:{id}
INSERT INTO users (id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login, version)
VALUES (@id, @username, @email, @password_hash, @role, @is_active, @email_verified, @created_at, @updated_at, @last_login, (SELECT value + 1 FROM row_version))
ON CONFLICT (id) DO NOTHING;

-- name: UserGet :one
SELECT id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login, version
FROM users
WHERE id = @id;

-- name: UserGetProfile :one
-- returns: UserProfile
-- cache: user:{id}
SELECT id, username, email, role, is_active, email_verified, created_at, updated_at, last_login, version
FROM users
WHERE id = @id;

-- name: UserGetByUsername :one
SELECT id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login, version
FROM users
WHERE username = @username;

-- name: UserGetByEmail :one
SELECT id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login, version
FROM users
WHERE email = CAST(@email AS TEXT);

-- name: UserList :many
-- read: replica
SELECT id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login, version
FROM users
WHERE username > @after_username
ORDER BY username
LIMIT @page_limit;

-- name: UserUpdateProfile :one
-- invalidates: user:{id}
UPDATE users
SET username = @username, email = @email, email_verified = @email_verified, updated_at = @updated_at, version = (SELECT value + 1 FROM row_version)
WHERE id = @id
RETURNING id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login, version;

-- name: UserSetPassword :one
-- invalidates: user:{id}
UPDATE users
SET password_hash = @password_hash, updated_at = @updated_at, version = (SELECT value + 1 FROM row_version)
WHERE id = @id
RETURNING id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login, version;

-- name: UserSetRole :one
-- invalidates: user:{id}
UPDATE users
SET role = @role, is_active = @is_active, updated_at = @updated_at, version = (SELECT value + 1 FROM row_version)
WHERE id = @id
RETURNING id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login, version;

-- name: UserSetLastLogin :one
-- invalidates: user:{id}
UPDATE users
SET last_login = CAST(@last_login AS DATETIME), version = (SELECT value + 1 FROM row_version)
WHERE id = @id
RETURNING id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login, version;

-- name: UserDelete :one
-- invalidates: user:{id}, user:{id}:sessions
-- invalidates: nothing of session:{token_hash} and api_key:{key_hash}, because a user who has any is not deleted
DELETE FROM users
WHERE users.id = @id
  AND NOT EXISTS (SELECT 1 FROM sessions AS s WHERE s.user_id = @id)
  AND NOT EXISTS (SELECT 1 FROM api_keys AS k WHERE k.user_id = @id)
RETURNING users.id, users.version;

-- name: UserCountByRole :one
SELECT count(*)
FROM users
WHERE role = @role AND is_active;

-- name: UserListClaims :many
SELECT id, username, email
FROM users
WHERE id IN (SELECT value FROM json_each(CAST(@ids AS JSON_TEXT)))
UNION
SELECT id, username, email
FROM users
WHERE username IN (SELECT value FROM json_each(CAST(@usernames AS JSON_TEXT)))
UNION
SELECT id, username, email
FROM users
WHERE email IN (SELECT value FROM json_each(CAST(@emails AS JSON_TEXT)))
ORDER BY id;

-- name: UserGetFirstByRole :one
SELECT id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login, version
FROM users
WHERE role = @role AND is_active
ORDER BY created_at, id
LIMIT 1;

-- name: UserLockByRole :many
-- invalidates: nothing, because it changes nothing
UPDATE users
SET role = role
WHERE role = @role AND is_active
RETURNING id;

-- name: UserLock :one
-- invalidates: nothing, because it changes nothing
UPDATE users
SET role = role
WHERE id = @id
RETURNING id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login, version;

-- name: UserCountBcrypt :one
SELECT count(*)
FROM (SELECT 1 AS found FROM users WHERE substr(password_hash, 1, 2) = '$2' LIMIT 1) AS hits;
