-- Keys by which clients repeat a request without repeating its effect.

-- +goose Up
-- id and fingerprint are digests: neither the client's key nor its body is kept.
-- status is NULL until the effect is committed. body and headers are the answer that
-- is given again; body is NULL where the answer is not kept.
CREATE TABLE idempotency_keys (
    id           TEXT      NOT NULL,
    fingerprint  TEXT      NOT NULL,
    seed         UUID_TEXT NOT NULL,
    holder       UUID_TEXT NOT NULL,
    status       BIGINT,
    headers      JSON_TEXT NOT NULL DEFAULT '{}',
    body         BLOB,
    created_at   DATETIME  NOT NULL,
    locked_until DATETIME  NOT NULL,
    expires_at   DATETIME  NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (id),
    CONSTRAINT idempotency_keys_body_check CHECK (typeof(body) IN ('blob', 'null')),
    CONSTRAINT idempotency_keys_created_at_check CHECK (typeof(created_at) = 'integer'),
    CONSTRAINT idempotency_keys_expires_at_check CHECK (typeof(expires_at) = 'integer'),
    CONSTRAINT idempotency_keys_fingerprint_check CHECK (typeof(fingerprint) = 'text' AND length(fingerprint) BETWEEN 1 AND 255),
    CONSTRAINT idempotency_keys_headers_check CHECK (typeof(headers) = 'text' AND json_valid(headers)),
    CONSTRAINT idempotency_keys_holder_check CHECK (typeof(holder) = 'text' AND length(holder) = 36),
    CONSTRAINT idempotency_keys_id_check CHECK (typeof(id) = 'text' AND length(id) BETWEEN 1 AND 255),
    CONSTRAINT idempotency_keys_locked_until_check CHECK (typeof(locked_until) = 'integer'),
    CONSTRAINT idempotency_keys_seed_check CHECK (typeof(seed) = 'text' AND length(seed) = 36),
    CONSTRAINT idempotency_keys_status_check CHECK (typeof(status) IN ('integer', 'null'))
);

-- IdempotencyKeyDeleteExpired.
CREATE INDEX idempotency_keys_expires_at_idx ON idempotency_keys (expires_at, id);

-- +goose Down
DROP TABLE idempotency_keys;
