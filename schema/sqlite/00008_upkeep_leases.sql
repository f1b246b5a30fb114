-- Which server does the housekeeping.

-- +goose Up
-- Several servers may share one file, too.
CREATE TABLE upkeep_leases (
    name       TEXT     NOT NULL,
    holder     TEXT     NOT NULL,
    renewed_at DATETIME NOT NULL,
    expires_at DATETIME NOT NULL,
    CONSTRAINT upkeep_leases_pkey PRIMARY KEY (name),
    CONSTRAINT upkeep_leases_expires_at_check CHECK (typeof(expires_at) = 'integer'),
    CONSTRAINT upkeep_leases_holder_check CHECK (typeof(holder) = 'text' AND length(holder) BETWEEN 1 AND 255),
    CONSTRAINT upkeep_leases_name_check CHECK (typeof(name) = 'text' AND length(name) BETWEEN 1 AND 255),
    CONSTRAINT upkeep_leases_renewed_at_check CHECK (typeof(renewed_at) = 'integer')
);

-- +goose Down
DROP TABLE upkeep_leases;
