-- Which server does the housekeeping.

-- +goose Up
-- A lease and not a lock: it asks for no connection of its own, so that it works behind
-- a pooler that lends connections by the transaction, and a server that dies loses it
-- by time.
CREATE TABLE upkeep_leases (
    name       text COLLATE "C" NOT NULL,
    holder     text             NOT NULL,
    renewed_at timestamptz      NOT NULL,
    expires_at timestamptz      NOT NULL,
    CONSTRAINT upkeep_leases_pkey PRIMARY KEY (name),
    CONSTRAINT upkeep_leases_holder_check CHECK (length(holder) BETWEEN 1 AND 255),
    CONSTRAINT upkeep_leases_name_check CHECK (length(name) BETWEEN 1 AND 255)
);

-- +goose Down
DROP TABLE upkeep_leases;
