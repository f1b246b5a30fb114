-- name: RefreshTokenInsert :exec
INSERT INTO refresh_tokens (id, session_id, token_hash, expires_at, created_at)
VALUES (@id, @session_id, @token_hash, @expires_at, @created_at);

-- name: RefreshTokenGetByHash :one
SELECT id, session_id, token_hash, expires_at, created_at, spent_at
FROM refresh_tokens
WHERE token_hash = @token_hash;

-- name: RefreshTokenSpend :execrows
UPDATE refresh_tokens
SET spent_at = CAST(@spent_at AS DATETIME)
WHERE id = @id AND spent_at IS NULL;

-- name: RefreshTokenDeleteExpired :execrows
DELETE FROM refresh_tokens
WHERE id IN (
    SELECT r.id
    FROM refresh_tokens AS r
    WHERE r.expires_at < @expired_before
    ORDER BY r.expires_at, r.id
    LIMIT @page_limit
);
