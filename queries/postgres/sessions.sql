-- name: SessionInsert :one
-- SessionInsert stores a login. ErrInvalid names user_id when there is no such user.
INSERT INTO sessions (id, user_id, token_hash, ip_address, user_agent, expires_at, created_at, version)
VALUES (@id, @user_id, @token_hash, @ip_address, @user_agent, @expires_at, @created_at, nextval('row_version_seq'))
RETURNING id, user_id, token_hash, ip_address, user_agent, expires_at, created_at, version;

-- name: SessionGet :one
-- SessionGet returns one session, expired or not; ErrNotFound if there is none.
SELECT id, user_id, token_hash, ip_address, user_agent, expires_at, created_at, version
FROM sessions
WHERE id = @id;

-- name: SessionGetByTokenHash :one
-- SessionGetByTokenHash returns the session of an access token, expired or not.
SELECT id, user_id, token_hash, ip_address, user_agent, expires_at, created_at, version
FROM sessions
WHERE token_hash = @token_hash;

-- name: SessionListByUser :many
-- SessionListByUser returns a user's sessions, the newest first.
SELECT id, user_id, token_hash, ip_address, user_agent, expires_at, created_at, version
FROM sessions
WHERE user_id = @user_id
ORDER BY created_at DESC, id DESC
LIMIT @page_limit::bigint;

-- name: SessionRotate :one
-- SessionRotate gives a session a new access token. The old one is void from then on.
UPDATE sessions
SET token_hash = @token_hash, expires_at = @expires_at, version = nextval('row_version_seq')
WHERE id = @id
RETURNING id, user_id, token_hash, ip_address, user_agent, expires_at, created_at, version;

-- name: SessionDelete :execrows
-- SessionDelete ends one session of the user with its refresh tokens.
DELETE FROM sessions
WHERE id = @id AND user_id = @user_id;

-- name: SessionDeleteByUser :execrows
-- SessionDeleteByUser ends all sessions of a user.
DELETE FROM sessions
WHERE user_id = @user_id;

-- name: SessionDeleteExpired :execrows
-- SessionDeleteExpired removes up to page_limit sessions whose access token and
-- refresh tokens are all past the given moment.
DELETE FROM sessions
WHERE id IN (
    SELECT s.id
    FROM sessions AS s
    WHERE s.expires_at < @expired_before
      AND NOT EXISTS (SELECT 1 FROM refresh_tokens AS r WHERE r.session_id = s.id AND r.expires_at >= @expired_before)
    ORDER BY s.expires_at, s.id
    LIMIT @page_limit::bigint
);

-- name: SessionImport :execrows
-- SessionImport stores a login that another database held, unless the id is there
-- already; it returns the number of rows written. ErrConflict names token_hash.
INSERT INTO sessions (id, user_id, token_hash, ip_address, user_agent, expires_at, created_at, version)
VALUES (@id, @user_id, @token_hash, @ip_address, @user_agent, @expires_at, @created_at, nextval('row_version_seq'))
ON CONFLICT (id) DO NOTHING;

-- name: SessionListClaims :many
-- SessionListClaims returns the sessions that have one of the ids or one of the
-- hashes, both JSON arrays of strings, in order of their ids.
SELECT id, token_hash
FROM sessions
WHERE id = ANY (ARRAY(SELECT CAST(wanted AS uuid) FROM jsonb_array_elements_text(@ids::jsonb) AS wanted))
UNION
SELECT id, token_hash
FROM sessions
WHERE token_hash = ANY (ARRAY(SELECT wanted FROM jsonb_array_elements_text(@token_hashes::jsonb) AS wanted))
ORDER BY id;
