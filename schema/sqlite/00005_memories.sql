-- Memories with full-text search.

-- +goose Up
-- search_text holds the tokens that the service's analyzer found in content: plain
-- ASCII words, which FTS5 neither splits, stems nor folds again, so that both
-- engines find the same memories. row_id is for FTS5 alone, which needs a rowid
-- that VACUUM leaves as it is.
CREATE TABLE memories (
    row_id        INTEGER,
    id            UUID_TEXT NOT NULL,
    neuron_id     TEXT      NOT NULL,
    layer         TEXT,
    entry_type    TEXT,
    content       TEXT      NOT NULL,
    importance    REAL      NOT NULL DEFAULT 0.5,
    context       JSON_TEXT NOT NULL DEFAULT '{}',
    metadata      JSON_TEXT NOT NULL DEFAULT '{}',
    embedding     BLOB,
    access_count  BIGINT    NOT NULL DEFAULT 0,
    last_accessed DATETIME,
    created_at    DATETIME  NOT NULL,
    updated_at    DATETIME  NOT NULL,
    version       BIGINT    NOT NULL,
    search_text   TEXT      NOT NULL,
    CONSTRAINT memories_id_key UNIQUE (id),
    CONSTRAINT memories_pkey PRIMARY KEY (row_id),
    CONSTRAINT memories_access_count_check CHECK (typeof(access_count) = 'integer'),
    CONSTRAINT memories_content_check CHECK (typeof(content) = 'text'),
    CONSTRAINT memories_context_check CHECK (typeof(context) = 'text' AND json_valid(context)),
    CONSTRAINT memories_created_at_check CHECK (typeof(created_at) = 'integer'),
    CONSTRAINT memories_embedding_check CHECK (typeof(embedding) IN ('blob', 'null')),
    CONSTRAINT memories_entry_type_check CHECK (typeof(entry_type) IN ('text', 'null') AND length(entry_type) BETWEEN 1 AND 255),
    CONSTRAINT memories_id_check CHECK (typeof(id) = 'text' AND length(id) = 36),
    CONSTRAINT memories_importance_check CHECK (typeof(importance) = 'real'),
    CONSTRAINT memories_last_accessed_check CHECK (typeof(last_accessed) IN ('integer', 'null')),
    CONSTRAINT memories_layer_check CHECK (typeof(layer) IN ('text', 'null') AND length(layer) BETWEEN 1 AND 255),
    CONSTRAINT memories_metadata_check CHECK (typeof(metadata) = 'text' AND json_valid(metadata)),
    CONSTRAINT memories_neuron_id_check CHECK (typeof(neuron_id) = 'text' AND length(neuron_id) BETWEEN 1 AND 255),
    CONSTRAINT memories_search_text_check CHECK (typeof(search_text) = 'text'),
    CONSTRAINT memories_updated_at_check CHECK (typeof(updated_at) = 'integer'),
    CONSTRAINT memories_version_check CHECK (typeof(version) = 'integer')
);

CREATE VIRTUAL TABLE memories_fts USING fts5(search_text, content='memories', content_rowid='row_id', tokenize='ascii');

-- +goose StatementBegin
CREATE TRIGGER memories_fts_insert AFTER INSERT ON memories
BEGIN
    INSERT INTO memories_fts (rowid, search_text) VALUES (NEW.row_id, NEW.search_text);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER memories_fts_delete AFTER DELETE ON memories
BEGIN
    INSERT INTO memories_fts (memories_fts, rowid, search_text) VALUES ('delete', OLD.row_id, OLD.search_text);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER memories_fts_update AFTER UPDATE OF search_text ON memories
BEGIN
    INSERT INTO memories_fts (memories_fts, rowid, search_text) VALUES ('delete', OLD.row_id, OLD.search_text);
    INSERT INTO memories_fts (rowid, search_text) VALUES (NEW.row_id, NEW.search_text);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER memories_version_insert AFTER INSERT ON memories
BEGIN
    UPDATE row_version SET value = max(value, NEW.version);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER memories_version_update AFTER UPDATE OF version ON memories
BEGIN
    UPDATE row_version SET value = max(value, NEW.version);
END;
-- +goose StatementEnd

-- MemoryList.
CREATE INDEX memories_created_at_idx ON memories (created_at, id);
-- MemoryListByNeuron.
CREATE INDEX memories_neuron_id_idx ON memories (neuron_id, created_at, id);
-- MemoryListByReference. Partial: a memory that refers to no signal is not in them.
CREATE INDEX memories_signal_ref_idx ON memories (json_extract(metadata, '$.signal_id'))
    WHERE json_extract(metadata, '$.signal_id') IS NOT NULL;
CREATE INDEX memories_parent_ref_idx ON memories (json_extract(metadata, '$.parent_id'))
    WHERE json_extract(metadata, '$.parent_id') IS NOT NULL;

-- +goose Down
DROP TABLE memories_fts;
DROP TABLE memories;
