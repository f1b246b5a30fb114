-- Memories with full-text search.

-- +goose Up
-- search_text holds the tokens that the service's analyzer found in content: plain
-- ASCII words, so that 'simple' neither splits, stems nor folds them again, and
-- both engines find the same memories.
CREATE TABLE memories (
    id            uuid             NOT NULL,
    neuron_id     text COLLATE "C" NOT NULL,
    layer         text COLLATE "C",
    entry_type    text COLLATE "C",
    content       text             NOT NULL,
    importance    double precision NOT NULL DEFAULT 0.5,
    context       jsonb            NOT NULL DEFAULT '{}',
    metadata      jsonb            NOT NULL DEFAULT '{}',
    embedding     bytea,
    access_count  bigint           NOT NULL DEFAULT 0,
    last_accessed timestamptz,
    created_at    timestamptz      NOT NULL,
    updated_at    timestamptz      NOT NULL,
    version       bigint           NOT NULL DEFAULT nextval('row_version_seq'),
    search_text   text             NOT NULL,
    search_vector tsvector GENERATED ALWAYS AS (to_tsvector('simple', search_text)) STORED,
    CONSTRAINT memories_pkey PRIMARY KEY (id),
    CONSTRAINT memories_neuron_id_check CHECK (length(neuron_id) BETWEEN 1 AND 255),
    CONSTRAINT memories_layer_check CHECK (length(layer) BETWEEN 1 AND 255),
    CONSTRAINT memories_entry_type_check CHECK (length(entry_type) BETWEEN 1 AND 255)
);

-- MemorySearch.
CREATE INDEX memories_search_vector_idx ON memories USING gin (search_vector);
-- MemoryList.
CREATE INDEX memories_created_at_idx ON memories (created_at, id);
-- MemoryListByNeuron.
CREATE INDEX memories_neuron_id_idx ON memories (neuron_id, created_at, id);
-- MemoryListByReference. Partial and hashed, as those of signals.
CREATE INDEX memories_signal_ref_idx ON memories USING hash ((metadata ->> 'signal_id')) WHERE metadata ->> 'signal_id' IS NOT NULL;
CREATE INDEX memories_parent_ref_idx ON memories USING hash ((metadata ->> 'parent_id')) WHERE metadata ->> 'parent_id' IS NOT NULL;

-- +goose Down
DROP TABLE memories;
