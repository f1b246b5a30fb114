-- name: SessionInsert :one
INSERT INTO sessions (id, user_id, token_hash, ip_address, user_agent, expires_at, created_at, version)
VALUES (@id, @user_id, @token_hash, @ip_address, @user_agent, @expires_at, @created_at, (SELECT value + 1 FROM row_version))
RETURNING id, user_id, token_hash, ip_address, user_agent, expires_at, created_at, version;

-- name: SessionGet :one
SELECT id, user_id, token_hash, ip_address, user_agent, expires_at, created_at, version
FROM sessions
WHERE id = @id;

-- name: SessionGetByTokenHash :one
SELECT id, user_id, token_hash, ip_address, user_agent, expires_at, created_at, version
FROM sessions
WHERE token_hash = @token_hash;

-- name: SessionListByUser :many
SELECT id, user_id, token_hash, ip_address, user_agent, expires_at, created_at, version
FROM sessions
WHERE user_id = @user_id
ORDER BY created_at DESC, id DESC
LIMIT @page_limit;

-- name: SessionRotate :one
UPDATE sessions
SET token_hash = @token_hash, expires_at = @expires_at, version = (SELECT value + 1 FROM row_version)
WHERE id = @id
RETURNING id, user_id, token_hash, ip_address, user_agent, expires_at, created_at, version;

-- name: SessionDelete :execrows
DELETE FROM sessions
WHERE id = @id AND user_id = @user_id;

-- name: SessionDeleteByUser :execrows
DELETE FROM sessions
WHERE user_id = @user_id;

-- name: SessionDeleteExpired :execrows
DELETE FROM sessions
WHERE id IN (
    SELECT s.id
    FROM sessions AS s
    WHERE s.expires_at < @expired_before
      AND NOT EXISTS (SELECT 1 FROM refresh_tokens AS r WHERE r.session_id = s.id AND r.expires_at >= @expired_before)
    ORDER BY s.expires_at, s.id
    LIMIT @page_limit
);

-- name: SessionImport :execrows
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
