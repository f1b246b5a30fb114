-- What imported accounts held and this service has no column for.

-- +goose Up
-- Users, sessions and API keys have no JSON column of their own to keep old ids and
-- values in. user_id is whose it is, so that it goes when the user goes.
CREATE TABLE legacy_details (
    entity     text COLLATE "C" NOT NULL,
    id         uuid             NOT NULL,
    user_id    uuid             NOT NULL,
    details    jsonb            NOT NULL,
    created_at timestamptz      NOT NULL,
    CONSTRAINT legacy_details_pkey PRIMARY KEY (entity, id),
    CONSTRAINT legacy_details_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT legacy_details_entity_check CHECK (entity IN ('user', 'api_key', 'session'))
);

-- LegacyDetailListByUser, and the cascade from users.
CREATE INDEX legacy_details_user_id_idx ON legacy_details (user_id);

-- +goose Down
DROP TABLE legacy_details;
