CREATE TABLE neurons (
    id         text COLLATE "C" PRIMARY KEY,
    kind       text COLLATE "C" NOT NULL,
    state      jsonb NOT NULL,
    note       text COLLATE "C",
    weight     double precision NOT NULL,
    active     boolean NOT NULL,
    seen_at    timestamptz,
    created_at timestamptz NOT NULL,
    version    bigint NOT NULL
);
CREATE TABLE memories (
    id          uuid PRIMARY KEY,
    neuron_id   text COLLATE "C",
    content     text COLLATE "C" NOT NULL,
    embedding   bytea,
    score       double precision,
    created_at  timestamptz NOT NULL,
    search_text text NOT NULL,
    search      tsvector GENERATED ALWAYS AS (to_tsvector('simple', search_text)) STORED
);
CREATE TABLE api_keys (
    id      uuid PRIMARY KEY,
    user_id uuid,
    age     interval,
    tags    text[] NOT NULL
);
CREATE SEQUENCE row_version_seq;
