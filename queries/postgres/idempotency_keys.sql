-- name: IdempotencyKeyClaim :one
-- IdempotencyKeyClaim takes a key for a request, or takes it over when whoever held it
-- is done, let it go or ran out of time, and it has expired or the request is the same. The
-- holder is the claim's own new id; a seed that differs from it says that somebody
-- held the key before, for the same request. ErrNotFound says that the key is
-- another's, or done: read it by IdempotencyKeyGet.
INSERT INTO idempotency_keys (id, fingerprint, seed, holder, headers, created_at, locked_until, expires_at)
VALUES (@id, @fingerprint, @holder, @holder, '{}', @created_at, @locked_until, @expires_at)
ON CONFLICT (id) DO UPDATE
SET fingerprint = excluded.fingerprint,
    seed = CASE WHEN idempotency_keys.expires_at <= excluded.created_at THEN excluded.seed ELSE idempotency_keys.seed END,
    holder = excluded.holder, status = NULL, headers = excluded.headers, body = NULL,
    created_at = CASE WHEN idempotency_keys.expires_at <= excluded.created_at THEN excluded.created_at ELSE idempotency_keys.created_at END,
    locked_until = excluded.locked_until,
    expires_at = CASE WHEN idempotency_keys.expires_at <= excluded.created_at THEN excluded.expires_at ELSE idempotency_keys.expires_at END
WHERE (idempotency_keys.expires_at <= excluded.created_at OR idempotency_keys.status IS NULL AND idempotency_keys.fingerprint = excluded.fingerprint)
  AND (idempotency_keys.status IS NOT NULL OR idempotency_keys.locked_until <= excluded.created_at)
RETURNING id, fingerprint, seed, holder, status, headers, body, created_at, locked_until, expires_at;

-- name: IdempotencyKeyGet :one
-- IdempotencyKeyGet returns what is known of a key, ErrNotFound if nothing is.
SELECT id, fingerprint, seed, holder, status, headers, body, created_at, locked_until, expires_at
FROM idempotency_keys
WHERE id = @id;

-- name: IdempotencyKeyFinish :execrows
-- IdempotencyKeyFinish keeps the answer of a request whose effect is committed, or
-- commits with this. 0 rows say that the holder has lost the key to another one.
UPDATE idempotency_keys
SET status = @status, headers = @headers, body = @body
WHERE id = @id AND holder = @holder AND status IS NULL;

-- name: IdempotencyKeyRelease :execrows
-- IdempotencyKeyRelease lets a key go at once, so that the same request may be tried
-- again; its seed stays.
UPDATE idempotency_keys
SET locked_until = @locked_until
WHERE id = @id AND holder = @holder AND status IS NULL;

-- name: IdempotencyKeyDelete :execrows
-- IdempotencyKeyDelete forgets a key whose request had no effect.
DELETE FROM idempotency_keys
WHERE id = @id AND holder = @holder AND status IS NULL;

-- name: IdempotencyKeyDeleteExpired :execrows
-- IdempotencyKeyDeleteExpired removes up to page_limit keys that expired before the given
-- moment, but for those that were held then.
DELETE FROM idempotency_keys
WHERE id IN (
    SELECT k.id
    FROM idempotency_keys AS k
    WHERE k.expires_at < @expired_before AND (k.status IS NOT NULL OR k.locked_until < @expired_before)
    ORDER BY k.expires_at, k.id
    LIMIT @page_limit::bigint
);
