-- Keys by which clients repeat a request without repeating its effect.

-- +goose Up
-- id and fingerprint are digests: neither the client's key nor its body is kept.
-- status is NULL until the effect is committed. body and headers are the answer that
-- is given again; body is NULL where the answer is not kept.
CREATE TABLE idempotency_keys (
    id           text COLLATE "C" NOT NULL,
    fingerprint  text        NOT NULL,
    seed         uuid        NOT NULL,
    holder       uuid        NOT NULL,
    status       bigint,
    headers      jsonb       NOT NULL DEFAULT '{}',
    body         bytea,
    created_at   timestamptz NOT NULL,
    locked_until timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (id),
    CONSTRAINT idempotency_keys_id_check CHECK (length(id) BETWEEN 1 AND 255),
    CONSTRAINT idempotency_keys_fingerprint_check CHECK (length(fingerprint) BETWEEN 1 AND 255)
);

-- IdempotencyKeyDeleteExpired.
CREATE INDEX idempotency_keys_expires_at_idx ON idempotency_keys (expires_at, id);

-- +goose Down
DROP TABLE idempotency_keys;
