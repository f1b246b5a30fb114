-- Accounts: users, their sessions with refresh tokens, and API keys.

-- +goose Up
CREATE TABLE users (
    id             uuid             NOT NULL,
    username       text COLLATE "C" NOT NULL,
    email          text COLLATE "C",
    password_hash  text             NOT NULL,
    role           text             NOT NULL DEFAULT 'user',
    is_active      boolean          NOT NULL DEFAULT true,
    email_verified boolean          NOT NULL DEFAULT false,
    created_at     timestamptz      NOT NULL,
    updated_at     timestamptz      NOT NULL,
    last_login     timestamptz,
    version        bigint           NOT NULL DEFAULT nextval('row_version_seq'),
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_username_key UNIQUE (username),
    CONSTRAINT users_email_key UNIQUE (email),
    CONSTRAINT users_username_check CHECK (length(username) BETWEEN 1 AND 255),
    CONSTRAINT users_email_check CHECK (length(email) BETWEEN 1 AND 255)
);

-- A session is one login. Its access token is replaced at each refresh; the
-- refresh tokens that it ever had hang below it, so that revoking the family of
-- a stolen token is deleting the session.
CREATE TABLE sessions (
    id         uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    token_hash text        NOT NULL,
    ip_address text,
    user_agent text,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    version    bigint      NOT NULL DEFAULT nextval('row_version_seq'),
    CONSTRAINT sessions_pkey PRIMARY KEY (id),
    CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT sessions_token_hash_key UNIQUE (token_hash),
    CONSTRAINT sessions_token_hash_check CHECK (length(token_hash) BETWEEN 1 AND 255)
);

-- SessionListByUser, SessionDeleteByUser, and the cascade from users.
CREATE INDEX sessions_user_id_idx ON sessions (user_id);
-- SessionDeleteExpired.
CREATE INDEX sessions_expires_at_idx ON sessions (expires_at);

CREATE TABLE refresh_tokens (
    id         uuid        NOT NULL,
    session_id uuid        NOT NULL,
    token_hash text        NOT NULL,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    spent_at   timestamptz,
    CONSTRAINT refresh_tokens_pkey PRIMARY KEY (id),
    CONSTRAINT refresh_tokens_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE CASCADE,
    CONSTRAINT refresh_tokens_token_hash_key UNIQUE (token_hash),
    CONSTRAINT refresh_tokens_token_hash_check CHECK (length(token_hash) BETWEEN 1 AND 255)
);

-- The cascade from sessions.
CREATE INDEX refresh_tokens_session_id_idx ON refresh_tokens (session_id);
-- RefreshTokenDeleteExpired.
CREATE INDEX refresh_tokens_expires_at_idx ON refresh_tokens (expires_at);

CREATE TABLE api_keys (
    id           uuid        NOT NULL,
    user_id      uuid        NOT NULL,
    name         text        NOT NULL,
    key_hash     text        NOT NULL,
    permissions  jsonb       NOT NULL DEFAULT '[]',
    is_active    boolean     NOT NULL DEFAULT true,
    last_used_at timestamptz,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz,
    version      bigint      NOT NULL DEFAULT nextval('row_version_seq'),
    CONSTRAINT api_keys_pkey PRIMARY KEY (id),
    CONSTRAINT api_keys_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT api_keys_key_hash_key UNIQUE (key_hash),
    CONSTRAINT api_keys_name_check CHECK (length(name) BETWEEN 1 AND 255),
    CONSTRAINT api_keys_key_hash_check CHECK (length(key_hash) BETWEEN 1 AND 255)
);

-- APIKeyListByUser, and the cascade from users.
CREATE INDEX api_keys_user_id_idx ON api_keys (user_id);

-- +goose Down
DROP TABLE api_keys;
DROP TABLE refresh_tokens;
DROP TABLE sessions;
DROP TABLE users;
