-- name: SessionInsert :one
-- invalidates: session:{token_hash}, user:{user_id}:sessions
INSERT INTO sessions (id, user_id, token_hash, ip_address, user_agent, expires_at, created_at, version)
VALUES (@id, @user_id, @token_hash, @ip_address, @user_agent, @expires_at, @created_at, (SELECT value + 1 FROM row_version))
RETURNING id, user_id, token_hash, ip_address, user_agent, expires_at, created_at, version;

-- name: SessionGet :one
SELECT id, user_id, token_hash, ip_address, user_agent, expires_at, created_at, version
FROM sessions
WHERE id = @id;

-- name: SessionGetByTokenHash :one
-- cache: session:{token_hash}
SELECT id, user_id, token_hash, ip_address, user_agent, expires_at, created_at, version
FROM sessions
WHERE token_hash = @token_hash;

-- name: SessionListByUser :many
-- cache: user:{user_id}:sessions
SELECT id, user_id, token_hash, ip_address, user_agent, expires_at, created_at, version
FROM sessions
WHERE user_id = @user_id
ORDER BY created_at DESC, id DESC
LIMIT 1000;

-- name: SessionLock :one
-- invalidates: nothing, because it changes nothing
UPDATE sessions
SET token_hash = token_hash
WHERE id = @id
RETURNING id, user_id, token_hash, ip_address, user_agent, expires_at, created_at, version;

-- name: SessionRotate :one
-- invalidates: session:{token_hash}, session:{old_token_hash}, user:{user_id}:sessions
UPDATE sessions
SET token_hash = @token_hash, expires_at = @expires_at, version = (SELECT value + 1 FROM row_version)
WHERE id = @id AND token_hash = @old_token_hash
RETURNING id, user_id, token_hash, ip_address, user_agent, expires_at, created_at, version;

-- name: SessionDelete :one
-- invalidates: session:{token_hash}, user:{user_id}:sessions
DELETE FROM sessions
WHERE id = @id AND user_id = @user_id
RETURNING id, user_id, token_hash, ip_address, user_agent, expires_at, created_at, version;

-- name: SessionDeleteByUser :many
-- invalidates: session:{token_hash}, user:{user_id}:sessions
DELETE FROM sessions
WHERE user_id = @user_id
RETURNING token_hash, version;

-- name: SessionDeleteExpired :many
-- invalidates: session:{token_hash}, user:{user_id}:sessions
DELETE FROM sessions
WHERE id IN (
    SELECT s.id
    FROM sessions AS s
    WHERE s.expires_at < @expired_before
      AND NOT EXISTS (SELECT 1 FROM refresh_tokens AS r WHERE r.session_id = s.id AND r.expires_at >= @expired_before)
    ORDER BY s.expires_at, s.id
    LIMIT @page_limit
)
RETURNING user_id, token_hash, version;

-- name: SessionImport :execrows
-- invalidates: session:{token_hash}, user:{user_id}:sessions
INSERT INTO sessions (id, user_id, token_hash, ip_address, user_agent, expires_at, created_at, version)
VALUES (@id, @user_id, @token_hash, @ip_address, @user_agent, @expires_at, @created_at, (SELECT value + 1 FROM row_version))
ON CONFLICT (id) DO NOTHING;

-- name: SessionListClaims :many
SELECT id, token_hash
FROM sessions
WHERE id IN (SELECT value FROM json_each(CAST(@ids AS JSON_TEXT)))
UNION
SELECT id, token_hash
FROM sessions
WHERE token_hash IN (SELECT value FROM json_each(CAST(@token_hashes AS JSON_TEXT)))
ORDER BY id;
