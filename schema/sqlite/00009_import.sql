-- What imported accounts held and this service has no column for.

-- +goose Up
-- Users, sessions and API keys have no JSON column of their own to keep old ids and
-- values in. user_id is whose it is, so that it goes when the user goes.
CREATE TABLE legacy_details (
    entity     TEXT      NOT NULL,
    id         UUID_TEXT NOT NULL,
    user_id    UUID_TEXT NOT NULL,
    details    JSON_TEXT NOT NULL,
    created_at DATETIME  NOT NULL,
    CONSTRAINT legacy_details_pkey PRIMARY KEY (entity, id),
    CONSTRAINT legacy_details_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT legacy_details_created_at_check CHECK (typeof(created_at) = 'integer'),
    CONSTRAINT legacy_details_details_check CHECK (typeof(details) = 'text' AND json_valid(details)),
    CONSTRAINT legacy_details_entity_check CHECK (typeof(entity) = 'text' AND entity IN ('user', 'api_key', 'session')),
    CONSTRAINT legacy_details_id_check CHECK (typeof(id) = 'text' AND length(id) = 36),
    CONSTRAINT legacy_details_user_id_check CHECK (typeof(user_id) = 'text' AND length(user_id) = 36)
);

-- LegacyDetailListByUser, and the cascade from users.
CREATE INDEX legacy_details_user_id_idx ON legacy_details (user_id);

-- +goose Down
DROP TABLE legacy_details;
