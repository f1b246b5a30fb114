-- Which programs can work on this schema.

-- +goose Up
-- oldest_program is the newest migration that a program must know to work here. Most
-- migrations only add, and leave it alone: programs before them go on working. One that
-- takes away or changes what programs before it need raises it to the version that the
-- oldest program which can do without knows, in its own transaction.
CREATE TABLE schema_compatibility (
    id             INTEGER PRIMARY KEY,
    oldest_program BIGINT  NOT NULL,
    CONSTRAINT schema_compatibility_id_check CHECK (id = 1),
    CONSTRAINT schema_compatibility_oldest_program_check CHECK (typeof(oldest_program) = 'integer')
);

INSERT INTO schema_compatibility (id, oldest_program) VALUES (1, 1);

-- +goose Down
DROP TABLE schema_compatibility;
