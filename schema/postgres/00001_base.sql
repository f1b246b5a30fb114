-- Numbers and marks that the whole database shares.

-- +goose Up
-- Every cached or ETag-bearing row takes its version from this one sequence at
-- each insert and update, so that a version grows even when a row is
-- deleted and made again under the same id.
CREATE SEQUENCE row_version_seq AS bigint;

-- The epoch is part of every cache key: restoring a backup or failing over to a
-- replica that lagged bumps it, and everything cached before is out of reach.
CREATE TABLE database_epoch (
    id         smallint    NOT NULL DEFAULT 1,
    epoch      bigint      NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT database_epoch_pkey PRIMARY KEY (id),
    CONSTRAINT database_epoch_id_check CHECK (id = 1)
);

INSERT INTO database_epoch (id, epoch, updated_at) VALUES (1, 1, now());

-- +goose Down
DROP TABLE database_epoch;
DROP SEQUENCE row_version_seq;
