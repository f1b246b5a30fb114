-- name: APIKeyInsert :one
-- APIKeyInsert stores a key's hash. ErrInvalid names user_id when there is no such user.
-- invalidates: api_key:{key_hash}
INSERT INTO api_keys (id, user_id, name, key_hash, permissions, is_active, last_used_at, created_at, expires_at, version)
VALUES (@id, @user_id, @name, @key_hash, @permissions, @is_active, @last_used_at, @created_at, @expires_at, nextval('row_version_seq'))
RETURNING id, user_id, name, key_hash, permissions, is_active, last_used_at, created_at, expires_at, version;

-- name: APIKeyGetByHash :one
-- APIKeyGetByHash returns the key with this hash, revoked and expired ones too.
-- cache: api_key:{key_hash}
SELECT id, user_id, name, key_hash, permissions, is_active, last_used_at, created_at, expires_at, version
FROM api_keys
WHERE key_hash = @key_hash;

-- name: APIKeyListByUser :many
-- APIKeyListByUser returns a user's keys, the newest first.
SELECT id, user_id, name, key_hash, permissions, is_active, last_used_at, created_at, expires_at, version
FROM api_keys
WHERE user_id = @user_id
ORDER BY created_at DESC, id DESC
LIMIT @page_limit::bigint;

-- name: APIKeyRevoke :one
-- APIKeyRevoke makes one key of the user void for good.
-- invalidates: api_key:{key_hash}
UPDATE api_keys
SET is_active = false, version = nextval('row_version_seq')
WHERE id = @id AND user_id = @user_id
RETURNING id, user_id, name, key_hash, permissions, is_active, last_used_at, created_at, expires_at, version;

-- name: APIKeySetLastUsed :one
-- APIKeySetLastUsed notes a use; ErrNotFound if a later one is noted, or there is no
-- such key.
-- invalidates: api_key:{key_hash}
UPDATE api_keys
SET last_used_at = @last_used_at::timestamptz, version = nextval('row_version_seq')
WHERE id = @id AND (last_used_at IS NULL OR last_used_at < @last_used_at::timestamptz)
RETURNING id, user_id, name, key_hash, permissions, is_active, last_used_at, created_at, expires_at, version;

-- name: APIKeyDelete :one
-- APIKeyDelete removes one key of the user, and returns what it was; ErrNotFound if
-- there is none such.
-- invalidates: api_key:{key_hash}
DELETE FROM api_keys
WHERE id = @id AND user_id = @user_id
RETURNING id, user_id, name, key_hash, permissions, is_active, last_used_at, created_at, expires_at, version;

-- name: APIKeyDeleteByUser :many
-- APIKeyDeleteByUser removes all keys of a user, and returns what they were known by.
-- invalidates: api_key:{key_hash}
DELETE FROM api_keys
WHERE user_id = @user_id
RETURNING key_hash, version;

-- name: APIKeyImport :execrows
-- APIKeyImport stores a key that another database held, unless the id is there
-- already; it returns the number of rows written. ErrConflict names key_hash.
-- invalidates: api_key:{key_hash}
INSERT INTO api_keys (id, user_id, name, key_hash, permissions, is_active, last_used_at, created_at, expires_at, version)
VALUES (@id, @user_id, @name, @key_hash, @permissions, @is_active, @last_used_at, @created_at, @expires_at, nextval('row_version_seq'))
ON CONFLICT (id) DO NOTHING;

-- name: APIKeyListClaims :many
-- APIKeyListClaims returns the keys that have one of the ids or one of the hashes,
-- both JSON arrays of strings, in order of their ids.
SELECT id, key_hash
FROM api_keys
WHERE id = ANY (ARRAY(SELECT CAST(wanted AS uuid) FROM jsonb_array_elements_text(@ids::jsonb) AS wanted))
UNION
SELECT id, key_hash
FROM api_keys
WHERE key_hash = ANY (ARRAY(SELECT wanted FROM jsonb_array_elements_text(@key_hashes::jsonb) AS wanted))
ORDER BY id;
