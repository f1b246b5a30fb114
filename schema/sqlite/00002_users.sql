-- Accounts: users, their sessions with refresh tokens, and API keys.

-- +goose Up
CREATE TABLE users (
    id             UUID_TEXT NOT NULL,
    username       TEXT      NOT NULL,
    email          TEXT,
    password_hash  TEXT      NOT NULL,
    role           TEXT      NOT NULL DEFAULT 'user',
    is_active      BOOLEAN   NOT NULL DEFAULT 1,
    email_verified BOOLEAN   NOT NULL DEFAULT 0,
    created_at     DATETIME  NOT NULL,
    updated_at     DATETIME  NOT NULL,
    last_login     DATETIME,
    version        BIGINT    NOT NULL,
    CONSTRAINT users_email_key UNIQUE (email),
    CONSTRAINT users_username_key UNIQUE (username),
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_created_at_check CHECK (typeof(created_at) = 'integer'),
    CONSTRAINT users_email_check CHECK (typeof(email) IN ('text', 'null') AND length(email) BETWEEN 1 AND 255),
    CONSTRAINT users_email_verified_check CHECK (typeof(email_verified) = 'integer' AND email_verified IN (0, 1)),
    CONSTRAINT users_id_check CHECK (typeof(id) = 'text' AND length(id) = 36),
    CONSTRAINT users_is_active_check CHECK (typeof(is_active) = 'integer' AND is_active IN (0, 1)),
    CONSTRAINT users_last_login_check CHECK (typeof(last_login) IN ('integer', 'null')),
    CONSTRAINT users_password_hash_check CHECK (typeof(password_hash) = 'text'),
    CONSTRAINT users_role_check CHECK (typeof(role) = 'text'),
    CONSTRAINT users_updated_at_check CHECK (typeof(updated_at) = 'integer'),
    CONSTRAINT users_username_check CHECK (typeof(username) = 'text' AND length(username) BETWEEN 1 AND 255),
    CONSTRAINT users_version_check CHECK (typeof(version) = 'integer')
);

-- +goose StatementBegin
CREATE TRIGGER users_version_insert AFTER INSERT ON users
BEGIN
    UPDATE row_version SET value = max(value, NEW.version);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER users_version_update AFTER UPDATE OF version ON users
BEGIN
    UPDATE row_version SET value = max(value, NEW.version);
END;
-- +goose StatementEnd

-- A session is one login. Its access token is replaced at each refresh; the
-- refresh tokens that it ever had hang below it, so that revoking the family of
-- a stolen token is deleting the session.
CREATE TABLE sessions (
    id         UUID_TEXT NOT NULL,
    user_id    UUID_TEXT NOT NULL,
    token_hash TEXT      NOT NULL,
    ip_address TEXT,
    user_agent TEXT,
    expires_at DATETIME  NOT NULL,
    created_at DATETIME  NOT NULL,
    version    BIGINT    NOT NULL,
    CONSTRAINT sessions_token_hash_key UNIQUE (token_hash),
    CONSTRAINT sessions_pkey PRIMARY KEY (id),
    CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT sessions_created_at_check CHECK (typeof(created_at) = 'integer'),
    CONSTRAINT sessions_expires_at_check CHECK (typeof(expires_at) = 'integer'),
    CONSTRAINT sessions_id_check CHECK (typeof(id) = 'text' AND length(id) = 36),
    CONSTRAINT sessions_ip_address_check CHECK (typeof(ip_address) IN ('text', 'null')),
    CONSTRAINT sessions_token_hash_check CHECK (typeof(token_hash) = 'text' AND length(token_hash) BETWEEN 1 AND 255),
    CONSTRAINT sessions_user_agent_check CHECK (typeof(user_agent) IN ('text', 'null')),
    CONSTRAINT sessions_user_id_check CHECK (typeof(user_id) = 'text' AND length(user_id) = 36),
    CONSTRAINT sessions_version_check CHECK (typeof(version) = 'integer')
);

-- SessionListByUser, SessionDeleteByUser, and the cascade from users.
CREATE INDEX sessions_user_id_idx ON sessions (user_id);
-- SessionDeleteExpired.
CREATE INDEX sessions_expires_at_idx ON sessions (expires_at);

-- +goose StatementBegin
CREATE TRIGGER sessions_version_insert AFTER INSERT ON sessions
BEGIN
    UPDATE row_version SET value = max(value, NEW.version);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER sessions_version_update AFTER UPDATE OF version ON sessions
BEGIN
    UPDATE row_version SET value = max(value, NEW.version);
END;
-- +goose StatementEnd

CREATE TABLE refresh_tokens (
    id         UUID_TEXT NOT NULL,
    session_id UUID_TEXT NOT NULL,
    token_hash TEXT      NOT NULL,
    expires_at DATETIME  NOT NULL,
    created_at DATETIME  NOT NULL,
    spent_at   DATETIME,
    CONSTRAINT refresh_tokens_token_hash_key UNIQUE (token_hash),
    CONSTRAINT refresh_tokens_pkey PRIMARY KEY (id),
    CONSTRAINT refresh_tokens_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE CASCADE,
    CONSTRAINT refresh_tokens_created_at_check CHECK (typeof(created_at) = 'integer'),
    CONSTRAINT refresh_tokens_expires_at_check CHECK (typeof(expires_at) = 'integer'),
    CONSTRAINT refresh_tokens_id_check CHECK (typeof(id) = 'text' AND length(id) = 36),
    CONSTRAINT refresh_tokens_session_id_check CHECK (typeof(session_id) = 'text' AND length(session_id) = 36),
    CONSTRAINT refresh_tokens_spent_at_check CHECK (typeof(spent_at) IN ('integer', 'null')),
    CONSTRAINT refresh_tokens_token_hash_check CHECK (typeof(token_hash) = 'text' AND length(token_hash) BETWEEN 1 AND 255)
);

-- The cascade from sessions.
CREATE INDEX refresh_tokens_session_id_idx ON refresh_tokens (session_id);
-- RefreshTokenDeleteExpired.
CREATE INDEX refresh_tokens_expires_at_idx ON refresh_tokens (expires_at);

CREATE TABLE api_keys (
    id           UUID_TEXT NOT NULL,
    user_id      UUID_TEXT NOT NULL,
    name         TEXT      NOT NULL,
    key_hash     TEXT      NOT NULL,
    permissions  JSON_TEXT NOT NULL DEFAULT '[]',
    is_active    BOOLEAN   NOT NULL DEFAULT 1,
    last_used_at DATETIME,
    created_at   DATETIME  NOT NULL,
    expires_at   DATETIME,
    version      BIGINT    NOT NULL,
    CONSTRAINT api_keys_key_hash_key UNIQUE (key_hash),
    CONSTRAINT api_keys_pkey PRIMARY KEY (id),
    CONSTRAINT api_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT api_keys_created_at_check CHECK (typeof(created_at) = 'integer'),
    CONSTRAINT api_keys_expires_at_check CHECK (typeof(expires_at) IN ('integer', 'null')),
    CONSTRAINT api_keys_id_check CHECK (typeof(id) = 'text' AND length(id) = 36),
    CONSTRAINT api_keys_is_active_check CHECK (typeof(is_active) = 'integer' AND is_active IN (0, 1)),
    CONSTRAINT api_keys_key_hash_check CHECK (typeof(key_hash) = 'text' AND length(key_hash) BETWEEN 1 AND 255),
    CONSTRAINT api_keys_last_used_at_check CHECK (typeof(last_used_at) IN ('integer', 'null')),
    CONSTRAINT api_keys_name_check CHECK (typeof(name) = 'text' AND length(name) BETWEEN 1 AND 255),
    CONSTRAINT api_keys_permissions_check CHECK (typeof(permissions) = 'text' AND json_valid(permissions)),
    CONSTRAINT api_keys_user_id_check CHECK (typeof(user_id) = 'text' AND length(user_id) = 36),
    CONSTRAINT api_keys_version_check CHECK (typeof(version) = 'integer')
);

-- APIKeyListByUser, and the cascade from users.
CREATE INDEX api_keys_user_id_idx ON api_keys (user_id);

-- +goose StatementBegin
CREATE TRIGGER api_keys_version_insert AFTER INSERT ON api_keys
BEGIN
    UPDATE row_version SET value = max(value, NEW.version);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER api_keys_version_update AFTER UPDATE OF version ON api_keys
BEGIN
    UPDATE row_version SET value = max(value, NEW.version);
END;
-- +goose StatementEnd

-- +goose Down
DROP TABLE api_keys;
DROP TABLE refresh_tokens;
DROP TABLE sessions;
DROP TABLE users;
