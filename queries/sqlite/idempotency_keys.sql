-- name: IdempotencyKeyClaim :one
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
SELECT id, fingerprint, seed, holder, status, headers, body, created_at, locked_until, expires_at
FROM idempotency_keys
WHERE id = @id;

-- name: IdempotencyKeyFinish :execrows
UPDATE idempotency_keys
SET status = @status, headers = @headers, body = @body
WHERE id = @id AND holder = @holder AND status IS NULL;

-- name: IdempotencyKeyRelease :execrows
UPDATE idempotency_keys
SET locked_until = @locked_until
WHERE id = @id AND holder = @holder AND status IS NULL;

-- name: IdempotencyKeyDelete :execrows
DELETE FROM idempotency_keys
WHERE id = @id AND holder = @holder AND status IS NULL;

-- name: IdempotencyKeyDeleteExpired :execrows
DELETE FROM idempotency_keys
WHERE id IN (
    SELECT k.id
    FROM idempotency_keys AS k
    WHERE k.expires_at < @expired_before AND (k.status IS NOT NULL OR k.locked_until < @expired_before)
    ORDER BY k.expires_at, k.id
    LIMIT @page_limit
);
