-- name: MemoryInsert :one
-- MemoryInsert stores a new memory. The store computes search_text from content.
-- returns: Memory
-- invalidates: group memory
INSERT INTO memories (id, neuron_id, layer, entry_type, content, importance, context, metadata, embedding, access_count, last_accessed, created_at, updated_at, version, search_text)
VALUES (@id, @neuron_id, @layer, @entry_type, @content, @importance, @context, @metadata, @embedding, 0, NULL, @created_at, @created_at, nextval('row_version_seq'), @search_text)
RETURNING id, neuron_id, layer, entry_type, content, importance, context, metadata, embedding, access_count, last_accessed, created_at, updated_at, version;

-- name: MemoryImport :execrows
-- MemoryImport stores a memory that another database held, unless the id is there
-- already; it returns the number of rows written. The store computes search_text.
-- invalidates: group memory
INSERT INTO memories (id, neuron_id, layer, entry_type, content, importance, context, metadata, embedding, access_count, last_accessed, created_at, updated_at, version, search_text)
VALUES (@id, @neuron_id, @layer, @entry_type, @content, @importance, @context, @metadata, @embedding, @access_count, @last_accessed, @created_at, @updated_at, nextval('row_version_seq'), @search_text)
ON CONFLICT (id) DO NOTHING;

-- name: MemoryGet :one
-- MemoryGet returns one memory, ErrNotFound if there is none.
-- returns: Memory
SELECT id, neuron_id, layer, entry_type, content, importance, context, metadata, embedding, access_count, last_accessed, created_at, updated_at, version
FROM memories
WHERE id = @id;

-- name: MemoryList :many
-- MemoryList returns the memories, the newest first, after the cursor
-- (cursor_created_at, cursor_id), of one layer and entry type if those are given.
-- returns: Memory
-- read: replica
SELECT id, neuron_id, layer, entry_type, content, importance, context, metadata, embedding, access_count, last_accessed, created_at, updated_at, version
FROM memories
WHERE (created_at, id) < (@cursor_created_at::timestamptz, @cursor_id::uuid)
  -- Filters that may be left out are CASEs: the planner takes IS NULL OR … for hardly ever
  -- true, and would rather read and sort everything than walk an index for a page.
  AND CASE WHEN sqlc.narg('layer')::text IS NULL THEN true ELSE layer = sqlc.narg('layer')::text END
  AND CASE WHEN sqlc.narg('entry_type')::text IS NULL THEN true ELSE entry_type = sqlc.narg('entry_type')::text END
ORDER BY created_at DESC, id DESC
LIMIT @page_limit::bigint;

-- name: MemoryListByNeuron :many
-- MemoryListByNeuron is MemoryList of one neuron's memories.
-- returns: Memory
-- read: replica
SELECT id, neuron_id, layer, entry_type, content, importance, context, metadata, embedding, access_count, last_accessed, created_at, updated_at, version
FROM memories
WHERE neuron_id = @neuron_id
  AND (created_at, id) < (@cursor_created_at::timestamptz, @cursor_id::uuid)
  AND CASE WHEN sqlc.narg('layer')::text IS NULL THEN true ELSE layer = sqlc.narg('layer')::text END
  AND CASE WHEN sqlc.narg('entry_type')::text IS NULL THEN true ELSE entry_type = sqlc.narg('entry_type')::text END
ORDER BY created_at DESC, id DESC
LIMIT @page_limit::bigint;

-- name: MemoryListRecent :many
-- MemoryListRecent is the first page of MemoryListByNeuron without filters: a neuron's
-- latest memories, at most 101.
-- returns: Memory
-- cache: memory:{neuron_id}:recent group memory
SELECT id, neuron_id, layer, entry_type, content, importance, context, metadata, embedding, access_count, last_accessed, created_at, updated_at, version
FROM memories
WHERE neuron_id = @neuron_id
ORDER BY created_at DESC, id DESC
LIMIT 101;

-- name: MemoryListByReference :many
-- MemoryListByReference returns the memories whose metadata names the given id as
-- signal_id or parent_id, the oldest first.
-- returns: Memory
-- read: replica
SELECT id, neuron_id, layer, entry_type, content, importance, context, metadata, embedding, access_count, last_accessed, created_at, updated_at, version
FROM (
    SELECT id, neuron_id, layer, entry_type, content, importance, context, metadata, embedding, access_count, last_accessed, created_at, updated_at, version
    FROM memories
    WHERE metadata ->> 'signal_id' = (@reference::uuid)::text OR metadata ->> 'parent_id' = (@reference::uuid)::text
    -- A fence: the planner would walk the memories in the order of time, looking for references.
    OFFSET 0
) AS found
ORDER BY created_at, id
LIMIT @page_limit::bigint;

-- name: MemorySearch :many
-- MemorySearch returns the memories that hold every term of match and every phrase,
-- the best first, of one neuron if it is given: as many as have page_bytes of content,
-- context and metadata together, and one in any case. match and phrases come from the
-- analyzer: quoted terms, and a JSON array of term sequences. The higher the score
-- the better; its scale is the engine's own.
-- cache: memory:search:{*} group memory
SELECT fit.id, fit.neuron_id, fit.layer, fit.entry_type, fit.content, fit.importance, fit.context, fit.metadata, (coalesce(octet_length(fit.embedding), 0) > 0)::boolean AS has_embedding, fit.access_count, fit.last_accessed, fit.created_at, fit.updated_at, fit.version, fit.score
FROM (
    -- Long texts are not read here: their lengths are told by where they are kept.
    SELECT best.id, best.neuron_id, best.layer, best.entry_type, best.content, best.importance, best.context, best.metadata, best.embedding, best.access_count, best.last_accessed, best.created_at, best.updated_at, best.version, best.score,
           octet_length(best.content) + octet_length(best.context::text) + octet_length(best.metadata::text) AS bytes,
           sum(octet_length(best.content) + octet_length(best.context::text) + octet_length(best.metadata::text)) OVER (ORDER BY best.score DESC, best.created_at DESC, best.id DESC ROWS UNBOUNDED PRECEDING) AS bytes_so_far
    FROM (
        SELECT m.id, m.neuron_id, m.layer, m.entry_type, m.content, m.importance, m.context, m.metadata, m.embedding, m.access_count, m.last_accessed, m.created_at, m.updated_at, m.version,
               ts_rank(m.search_vector, websearch_to_tsquery('simple', @match::text))::float8 AS score
        FROM memories AS m
        WHERE m.search_vector @@ websearch_to_tsquery('simple', @match::text)
          -- A tsvector knows no positions beyond 16,383, so phrases are found in the text.
          AND NOT EXISTS (
              SELECT 1
              FROM jsonb_array_elements_text(@phrases::jsonb) AS phrase
              WHERE strpos(' ' || m.search_text || ' ', ' ' || phrase || ' ') = 0)
          AND CASE WHEN sqlc.narg('neuron_id')::text IS NULL THEN true ELSE m.neuron_id = sqlc.narg('neuron_id')::text END
        ORDER BY score DESC, m.created_at DESC, m.id DESC
        LIMIT @page_limit::bigint
    ) AS best
) AS fit
WHERE fit.bytes_so_far <= @page_bytes::bigint OR fit.bytes_so_far = fit.bytes
ORDER BY fit.score DESC, fit.created_at DESC, fit.id DESC;

-- name: MemoryUpdate :one
-- MemoryUpdate replaces what a client may change, with if_version only at that
-- version; ErrNotFound if there is none such. The store computes search_text.
-- returns: Memory
-- invalidates: group memory
UPDATE memories
SET neuron_id = @neuron_id, layer = @layer, entry_type = @entry_type, content = @content, importance = @importance,
    context = @context, metadata = @metadata, embedding = @embedding, search_text = @search_text,
    updated_at = @updated_at, version = nextval('row_version_seq')
WHERE id = @id
  AND (sqlc.narg('if_version')::bigint IS NULL OR version = sqlc.narg('if_version')::bigint)
RETURNING id, neuron_id, layer, entry_type, content, importance, context, metadata, embedding, access_count, last_accessed, created_at, updated_at, version;

-- name: MemoryDelete :execrows
-- MemoryDelete removes a memory, with if_version only at that version.
-- invalidates: group memory
DELETE FROM memories
WHERE id = @id
  AND (sqlc.narg('if_version')::bigint IS NULL OR version = sqlc.narg('if_version')::bigint);

-- name: MemoryListStoredIDs :many
-- MemoryListStoredIDs returns those of the given ids, a JSON array of strings, that are
-- stored.
SELECT id
FROM memories
WHERE id = ANY (ARRAY(SELECT CAST(wanted AS uuid) FROM jsonb_array_elements_text(@ids::jsonb) AS wanted))
ORDER BY id;

-- name: MemoryListByReferences :many
-- MemoryListByReferences is MemoryListByReference for several callers, of which places,
-- from 0, tell whose a row is.
-- engine: postgres
SELECT wanted.place::bigint AS place, m.id, m.neuron_id, m.layer, m.entry_type, m.content, m.importance, m.context, m.metadata, m.embedding, m.access_count, m.last_accessed, m.created_at, m.updated_at, m.version
FROM (SELECT unnest(@wanted_references::uuid[]) AS reference, unnest(@places::bigint[]) AS place) AS wanted
CROSS JOIN LATERAL (
    SELECT found.id, found.neuron_id, found.layer, found.entry_type, found.content, found.importance, found.context, found.metadata, found.embedding, found.access_count, found.last_accessed, found.created_at, found.updated_at, found.version
    FROM (
        SELECT t.id, t.neuron_id, t.layer, t.entry_type, t.content, t.importance, t.context, t.metadata, t.embedding, t.access_count, t.last_accessed, t.created_at, t.updated_at, t.version
        FROM memories AS t
        WHERE t.metadata ->> 'signal_id' = wanted.reference::text OR t.metadata ->> 'parent_id' = wanted.reference::text
        OFFSET 0
    ) AS found
    ORDER BY found.created_at, found.id
    LIMIT @page_limit::bigint
) AS m
ORDER BY wanted.place, m.created_at, m.id;
