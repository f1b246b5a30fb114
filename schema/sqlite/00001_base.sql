-- Numbers and marks that the whole database shares.
--
-- Moments are integers: microseconds since 1970 in UTC. SQLite checks no types by
-- itself, and STRICT tables refuse the declared types that the Go code is generated
-- from, so that each column checks its own.
--
-- Of several constraints that a row breaks, both engines must name the same one.
-- PostgreSQL tries checks in the order of their names, then unique keys in the order
-- of their making; SQLite checks as they are written, then unique keys from the last
-- to the first. So checks are sorted by name here, and unique keys stand in reverse.

-- +goose Up
-- The counter that stands for PostgreSQL's sequence. A statement that inserts or
-- updates a versioned row writes (SELECT value + 1 FROM row_version), and a trigger
-- raises the counter in the same transaction; the one writer keeps that whole.
-- Its key is not called id: sqlc holds a bare id beside the subquery for ambiguous.
CREATE TABLE row_version (
    singleton INTEGER PRIMARY KEY,
    value     INTEGER NOT NULL,
    CONSTRAINT row_version_singleton_check CHECK (singleton = 1),
    CONSTRAINT row_version_value_check CHECK (typeof(value) = 'integer')
);

INSERT INTO row_version (singleton, value) VALUES (1, 0);

-- The epoch is part of every cache key: restoring a backup or failing over to a
-- replica that lagged bumps it, and everything cached before is out of reach.
CREATE TABLE database_epoch (
    id         INTEGER  PRIMARY KEY,
    epoch      BIGINT   NOT NULL,
    updated_at DATETIME NOT NULL,
    CONSTRAINT database_epoch_id_check CHECK (id = 1),
    CONSTRAINT database_epoch_epoch_check CHECK (typeof(epoch) = 'integer'),
    CONSTRAINT database_epoch_updated_at_check CHECK (typeof(updated_at) = 'integer')
);

INSERT INTO database_epoch (id, epoch, updated_at) VALUES (1, 1, CAST(strftime('%s', 'now') AS INTEGER) * 1000000);

-- +goose Down
DROP TABLE database_epoch;
DROP TABLE row_version;
