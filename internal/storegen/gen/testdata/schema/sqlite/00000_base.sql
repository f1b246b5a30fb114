CREATE TABLE neurons (
    id         TEXT PRIMARY KEY NOT NULL,
    kind       TEXT NOT NULL,
    state      JSON_TEXT NOT NULL,
    note       TEXT,
    weight     REAL NOT NULL,
    active     BOOLEAN NOT NULL,
    seen_at    DATETIME,
    created_at DATETIME NOT NULL,
    version    INTEGER NOT NULL
);
CREATE TABLE memories (
    id          UUID_TEXT PRIMARY KEY NOT NULL,
    neuron_id   TEXT,
    content     TEXT NOT NULL,
    embedding   BLOB,
    score       REAL,
    created_at  DATETIME NOT NULL,
    search_text TEXT NOT NULL
);
CREATE TABLE api_keys (
    id      UUID_TEXT PRIMARY KEY NOT NULL,
    user_id UUID_TEXT,
    age     TEXT,
    tags    TEXT_LIST NOT NULL
);
CREATE TABLE row_version (value INTEGER NOT NULL);
CREATE TRIGGER neurons_version_insert AFTER INSERT ON neurons
BEGIN
    UPDATE row_version SET value = max(value, NEW.version);
END;
