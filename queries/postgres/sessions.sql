-- name: SessionInsert :one
-- SessionInsert stores a login. ErrInvalid names user_id when there is no such user.
-- invalidates: session:{token_hash}, user:{user_id}:sessions
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
-- cache: session:{token_hash}
SELECT id, user_id, token_hash, ip_address, user_agent, expires_at, created_at, version
FROM sessions
WHERE token_hash = @token_hash;

-- name: SessionListByUser :many
-- SessionListByUser returns a user's sessions, the newest first, at most 1000.
-- cache: user:{user_id}:sessions
SELECT id, user_id, token_hash, ip_address, user_agent, expires_at, created_at, version
FROM sessions
WHERE user_id = @user_id
ORDER BY created_at DESC, id DESC
LIMIT 1000;

-- name: SessionLock :one
-- SessionLock returns one session, ErrNotFound if there is none, and keeps others from
-- changing the session until the transaction ends. It changes nothing itself.
-- invalidates: nothing, because it changes nothing
UPDATE sessions
SET token_hash = token_hash
WHERE id = @id
RETURNING id, user_id, token_hash, ip_address, user_agent, expires_at, created_at, version;

-- name: SessionRotate :one
-- SessionRotate gives a session a new access token. The old one, old_token_hash, is
-- void from then on; ErrNotFound if it was void already.
-- invalidates: session:{token_hash}, session:{old_token_hash}, user:{user_id}:sessions
UPDATE sessions
SET token_hash = @token_hash, expires_at = @expires_at, version = nextval('row_version_seq')
WHERE id = @id AND token_hash = @old_token_hash
RETURNING id, user_id, token_hash, ip_address, user_agent, expires_at, created_at, version;

-- name: SessionDelete :one
-- SessionDelete ends one session of the user with its refresh tokens, and returns
-- what it was; ErrNotFound if there is none such.
-- invalidates: session:{token_hash}, user:{user_id}:sessions
DELETE FROM sessions
WHERE id = @id AND user_id = @user_id
RETURNING id, user_id, token_hash, ip_address, user_agent, expires_at, created_at, version;

-- name: SessionDeleteByUser :many
-- SessionDeleteByUser ends all sessions of a user, and returns what they were known by.
-- invalidates: session:{token_hash}, user:{user_id}:sessions
DELETE FROM sessions
WHERE user_id = @user_id
RETURNING token_hash, version;

-- name: SessionDeleteExpired :many
-- SessionDeleteExpired removes up to page_limit sessions whose access token and
-- refresh tokens are all past the given moment, and returns what they were known by.
-- invalidates: session:{token_hash}, user:{user_id}:sessions
DELETE FROM sessions
WHERE id IN (
    SELECT s.id
    FROM sessions AS s
    WHERE s.expires_at < @expired_before
      AND NOT EXISTS (SELECT 1 FROM refresh_tokens AS r WHERE r.session_id = s.id AND r.expires_at >= @expired_before)
    ORDER BY s.expires_at, s.id
    LIMIT @page_limit::bigint
)
RETURNING user_id, token_hash, version;

-- name: SessionImport :execrows
-- SessionImport stores a login that another database held, unless the id is there
-- already; it returns the number of rows written. ErrConflict names token_hash.
-- invalidates: session:{token_hash}, user:{user_id}:sessions
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
