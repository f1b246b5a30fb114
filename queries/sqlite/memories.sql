-- name: MemoryInsert :one
-- returns: Memory
-- invalidates: group memory
INSERT INTO memories (id, neuron_id, layer, entry_type, content, importance, context, metadata, embedding, access_count, last_accessed, created_at, updated_at, version, search_text)
VALUES (@id, @neuron_id, @layer, @entry_type, @content, @importance, @context, @metadata, @embedding, 0, NULL, @created_at, @created_at, (SELECT value + 1 FROM row_version), @search_text)
RETURNING id, neuron_id, layer, entry_type, content, importance, context, metadata, embedding, access_count, last_accessed, created_at, updated_at, version;

-- name: MemoryImport :execrows
-- invalidates: group memory
INSERT INTO memories (id, neuron_id, layer, entry_type, content, importance, context, metadata, embedding, access_count, last_accessed, created_at, updated_at, version, search_text)
VALUES (@id, @neuron_id, @layer, @entry_type, @content, @importance, @context, @metadata, @embedding, @access_count, @last_accessed, @created_at, @updated_at, (SELECT value + 1 FROM row_version), @search_text)
ON CONFLICT (id) DO NOTHING;

-- name: MemoryGet :one
-- returns: Memory
SELECT id, neuron_id, layer, entry_type, content, importance, context, metadata, embedding, access_count, last_accessed, created_at, updated_at, version
FROM memories
WHERE id = @id;

-- name: MemoryList :many
-- returns: Memory
-- read: replica
SELECT id, neuron_id, layer, entry_type, content, importance, context, metadata, embedding, access_count, last_accessed, created_at, updated_at, version
FROM memories
WHERE (created_at, id) < (CAST(@cursor_created_at AS DATETIME), +CAST(@cursor_id AS UUID_TEXT))
  AND (layer = sqlc.narg('layer') OR sqlc.narg('layer') IS NULL)
  AND (entry_type = sqlc.narg('entry_type') OR sqlc.narg('entry_type') IS NULL)
ORDER BY created_at DESC, id DESC
LIMIT @page_limit;

-- name: MemoryListByNeuron :many
-- returns: Memory
-- read: replica
SELECT id, neuron_id, layer, entry_type, content, importance, context, metadata, embedding, access_count, last_accessed, created_at, updated_at, version
FROM memories
WHERE neuron_id = @neuron_id
  AND (created_at, id) < (CAST(@cursor_created_at AS DATETIME), +CAST(@cursor_id AS UUID_TEXT))
  AND (layer = sqlc.narg('layer') OR sqlc.narg('layer') IS NULL)
  AND (entry_type = sqlc.narg('entry_type') OR sqlc.narg('entry_type') IS NULL)
ORDER BY created_at DESC, id DESC
LIMIT @page_limit;

-- name: MemoryListRecent :many
-- returns: Memory
-- cache: memory:{neuron_id}:recent group memory
SELECT id, neuron_id, layer, entry_type, content, importance, context, metadata, embedding, access_count, last_accessed, created_at, updated_at, version
FROM memories
WHERE neuron_id = @neuron_id
ORDER BY created_at DESC, id DESC
LIMIT 101;

-- name: MemoryListByReference :many
-- returns: Memory
-- read: replica
SELECT id, neuron_id, layer, entry_type, content, importance, context, metadata, embedding, access_count, last_accessed, created_at, updated_at, version
FROM memories
WHERE json_extract(metadata, '$.signal_id') = +CAST(@reference AS UUID_TEXT) -- + lets the index be used: it has no affinity
   OR json_extract(metadata, '$.parent_id') = +CAST(@reference AS UUID_TEXT)
ORDER BY created_at, id
LIMIT @page_limit;

-- name: MemorySearch :many
-- cache: memory:search:{*} group memory
-- differs: SELECT, FROM, ORDER BY, because full-text search and its score are each engine's own
-- Sorting copies rows, so that ids and lengths alone are sorted, which are read without the texts.
SELECT m.id, m.neuron_id, m.layer, m.entry_type, m.content, m.importance, m.context, m.metadata, CAST(coalesce(octet_length(m.embedding), 0) > 0 AS BOOLEAN) AS has_embedding, m.access_count, m.last_accessed, m.created_at, m.updated_at, m.version, CAST(fit.score AS REAL) AS score
FROM (
    SELECT best.row_id, best.score, best.bytes, sum(best.bytes) OVER (ORDER BY best.score DESC, best.created_at DESC, best.id DESC ROWS UNBOUNDED PRECEDING) AS bytes_so_far
    FROM (
        SELECT t.row_id, t.id, t.created_at, octet_length(t.content) + octet_length(t.context) + octet_length(t.metadata) AS bytes,
               CAST(-bm25(memories_fts) AS REAL) AS score
        FROM memories_fts
        JOIN memories AS t ON t.row_id = memories_fts.rowid
        WHERE memories_fts MATCH CAST(@match AS TEXT)
          AND NOT EXISTS (
              SELECT 1
              FROM json_each(CAST(@phrases AS JSON_TEXT)) AS phrase
              WHERE instr(' ' || t.search_text || ' ', ' ' || phrase.value || ' ') = 0)
          AND (t.neuron_id = sqlc.narg('neuron_id') OR sqlc.narg('neuron_id') IS NULL)
        ORDER BY score DESC, t.created_at DESC, t.id DESC
        LIMIT @page_limit
    ) AS best
) AS fit
JOIN memories AS m ON m.row_id = fit.row_id
WHERE fit.bytes_so_far <= CAST(@page_bytes AS INTEGER) OR fit.bytes_so_far = fit.bytes
ORDER BY fit.score DESC, m.created_at DESC, m.id DESC;

-- name: MemoryUpdate :one
-- returns: Memory
-- invalidates: group memory
UPDATE memories
SET neuron_id = @neuron_id, layer = @layer, entry_type = @entry_type, content = @content, importance = @importance,
    context = @context, metadata = @metadata, embedding = @embedding, search_text = @search_text,
    updated_at = @updated_at, version = (SELECT value + 1 FROM row_version)
WHERE id = @id
  AND (version = sqlc.narg('if_version') OR sqlc.narg('if_version') IS NULL)
RETURNING id, neuron_id, layer, entry_type, content, importance, context, metadata, embedding, access_count, last_accessed, created_at, updated_at, version;

-- name: MemoryDelete :execrows
-- invalidates: group memory
DELETE FROM memories
WHERE id = @id
  AND (version = sqlc.narg('if_version') OR sqlc.narg('if_version') IS NULL);

-- name: MemoryListStoredIDs :many
SELECT id
FROM memories
WHERE id IN (SELECT value FROM json_each(CAST(@ids AS JSON_TEXT)))
ORDER BY id;
