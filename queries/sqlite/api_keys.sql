-- name: APIKeyInsert :one
-- invalidates: api_key:{key_hash}
INSERT INTO api_keys (id, user_id, name, key_hash, permissions, is_active, last_used_at, created_at, expires_at, version)
VALUES (@id, @user_id, @name, @key_hash, @permissions, @is_active, @last_used_at, @created_at, @expires_at, (SELECT value + 1 FROM row_version))
RETURNING id, user_id, name, key_hash, permissions, is_active, last_used_at, created_at, expires_at, version;

-- name: APIKeyGetByHash :one
-- cache: api_key:{key_hash}
SELECT id, user_id, name, key_hash, permissions, is_active, last_used_at, created_at, expires_at, version
FROM api_keys
WHERE key_hash = @key_hash;

-- name: APIKeyListByUser :many
SELECT id, user_id, name, key_hash, permissions, is_active, last_used_at, created_at, expires_at, version
FROM api_keys
WHERE user_id = @user_id
ORDER BY created_at DESC, id DESC
LIMIT @page_limit;

-- name: APIKeyRevoke :one
-- invalidates: api_key:{key_hash}
UPDATE api_keys
SET is_active = false, version = (SELECT value + 1 FROM row_version)
WHERE id = @id AND user_id = @user_id
RETURNING id, user_id, name, key_hash, permissions, is_active, last_used_at, created_at, expires_at, version;

-- name: APIKeySetLastUsed :one
-- invalidates: api_key:{key_hash}
UPDATE api_keys
SET last_used_at = CAST(@last_used_at AS DATETIME), version = (SELECT value + 1 FROM row_version)
WHERE id = @id AND (last_used_at IS NULL OR last_used_at < CAST(@last_used_at AS DATETIME))
RETURNING id, user_id, name, key_hash, permissions, is_active, last_used_at, created_at, expires_at, version;

-- name: APIKeyDelete :one
-- invalidates: api_key:{key_hash}
DELETE FROM api_keys
WHERE id = @id AND user_id = @user_id
RETURNING id, user_id, name, key_hash, permissions, is_active, last_used_at, created_at, expires_at, version;

-- name: APIKeyDeleteByUser :many
-- invalidates: api_key:{key_hash}
DELETE FROM api_keys
WHERE user_id = @user_id
RETURNING key_hash, version;

-- name: APIKeyImport :execrows
-- invalidates: api_key:{key_hash}
INSERT INTO api_keys (id, user_id, name, key_hash, permissions, is_active, last_used_at, created_at, expires_at, version)
VALUES (@id, @user_id, @name, @key_hash, @permissions, @is_active, @last_used_at, @created_at, @expires_at, (SELECT value + 1 FROM row_version))
ON CONFLICT (id) DO NOTHING;

-- name: APIKeyListClaims :many
SELECT id, key_hash
FROM api_keys
WHERE id IN (SELECT value FROM json_each(CAST(@ids AS JSON_TEXT)))
UNION
SELECT id, key_hash
FROM api_keys
WHERE key_hash IN (SELECT value FROM json_each(CAST(@key_hashes AS JSON_TEXT)))
ORDER BY id;
