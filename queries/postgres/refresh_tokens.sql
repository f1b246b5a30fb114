-- name: RefreshTokenInsert :exec
-- RefreshTokenInsert stores the token that will replace a session's access token.
INSERT INTO refresh_tokens (id, session_id, token_hash, expires_at, created_at)
VALUES (@id, @session_id, @token_hash, @expires_at, @created_at);

-- name: RefreshTokenGetByHash :one
-- RefreshTokenGetByHash returns a refresh token, spent or expired ones too: a spent
-- one that comes back is a sign of theft.
SELECT id, session_id, token_hash, expires_at, created_at, spent_at
FROM refresh_tokens
WHERE token_hash = @token_hash;

-- name: RefreshTokenSpend :execrows
-- RefreshTokenSpend marks a token as used; 0 rows say that it was used before.
UPDATE refresh_tokens
SET spent_at = @spent_at::timestamptz
WHERE id = @id AND spent_at IS NULL;

-- name: RefreshTokenDeleteExpired :execrows
-- RefreshTokenDeleteExpired removes up to page_limit tokens past the given moment.
DELETE FROM refresh_tokens
WHERE id IN (
    SELECT r.id
    FROM refresh_tokens AS r
    WHERE r.expires_at < @expired_before
    ORDER BY r.expires_at, r.id
    LIMIT @page_limit::bigint
);
