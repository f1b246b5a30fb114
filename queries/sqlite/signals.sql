-- name: SignalInsert :execrows
-- invalidates: nothing of signal:{id}, because rows never change and the absence of one is not remembered
INSERT INTO signals (id, from_neuron, to_neuron, layer_from, layer_to, propagation_type, content, metadata, timestamp)
VALUES (@id, @from_neuron, @to_neuron, @layer_from, @layer_to, @propagation_type, @content, @metadata, @timestamp)
ON CONFLICT (id, timestamp) DO NOTHING;

-- name: SignalGet :one
-- cache: signal:{id} group signals if found
SELECT id, from_neuron, to_neuron, layer_from, layer_to, propagation_type, content, metadata, timestamp
FROM signals
WHERE id = @id AND timestamp = @timestamp;

-- name: SignalFind :one
-- cache: signal:{id} group signals if found
SELECT id, from_neuron, to_neuron, layer_from, layer_to, propagation_type, content, metadata, timestamp
FROM signals
WHERE id = @id
ORDER BY timestamp DESC
LIMIT 1;

-- name: SignalListStoredIDs :many
SELECT DISTINCT id
FROM signals
WHERE id IN (SELECT value FROM json_each(CAST(@ids AS JSON_TEXT)))
ORDER BY id;

-- name: SignalListByIDs :many
SELECT id, from_neuron, to_neuron, layer_from, layer_to, propagation_type, content, metadata, timestamp
FROM signals
WHERE id IN (SELECT value FROM json_each(CAST(@ids AS JSON_TEXT)))
  AND timestamp >= @since AND timestamp <= @until
ORDER BY id, timestamp;

-- name: SignalList :many
-- read: replica
-- differs: WHERE, because SQLite takes one upper bound from the index
SELECT id, from_neuron, to_neuron, layer_from, layer_to, propagation_type, content, metadata, timestamp
FROM signals
WHERE timestamp >= @since
  -- SQLite takes one upper bound from the index: the lower of the two. The + keeps it
  -- from taking another.
  AND timestamp <= min(CAST(@until AS DATETIME) - 1, CAST(@cursor_timestamp AS DATETIME))
  AND (+timestamp, id) < (CAST(@cursor_timestamp AS DATETIME), CAST(@cursor_id AS UUID_TEXT))
  AND (layer_from = sqlc.narg('layer') OR layer_to = sqlc.narg('layer') OR sqlc.narg('layer') IS NULL)
ORDER BY timestamp DESC, id DESC
LIMIT @page_limit;

-- name: SignalListAfter :many
SELECT id, from_neuron, to_neuron, layer_from, layer_to, propagation_type, content, metadata, timestamp
FROM signals
WHERE timestamp >= @cursor_timestamp AND timestamp < @until
  AND (+timestamp, id) > (CAST(@cursor_timestamp AS DATETIME), CAST(@cursor_id AS UUID_TEXT))
ORDER BY timestamp, id
LIMIT @page_limit;

-- name: SignalListByNeuron :many
-- read: replica
-- differs: FROM, because SQLite takes one upper bound from the index
SELECT id, from_neuron, to_neuron, layer_from, layer_to, propagation_type, content, metadata, timestamp
FROM (
    SELECT id, from_neuron, to_neuron, layer_from, layer_to, propagation_type, content, metadata, timestamp FROM (
        SELECT t.id, t.from_neuron, t.to_neuron, t.layer_from, t.layer_to, t.propagation_type, t.content, t.metadata, t.timestamp
        FROM signals AS t
        WHERE t.to_neuron = @neuron_id
          AND t.timestamp >= @since
          AND t.timestamp <= min(CAST(@until AS DATETIME) - 1, CAST(@cursor_timestamp AS DATETIME))
          AND (+t.timestamp, t.id) < (CAST(@cursor_timestamp AS DATETIME), CAST(@cursor_id AS UUID_TEXT))
          AND (t.layer_from = sqlc.narg('layer') OR t.layer_to = sqlc.narg('layer') OR sqlc.narg('layer') IS NULL)
        ORDER BY t.timestamp DESC, t.id DESC
        LIMIT @page_limit)
    UNION ALL
    SELECT id, from_neuron, to_neuron, layer_from, layer_to, propagation_type, content, metadata, timestamp FROM (
        SELECT f.id, f.from_neuron, f.to_neuron, f.layer_from, f.layer_to, f.propagation_type, f.content, f.metadata, f.timestamp
        FROM signals AS f
        WHERE f.from_neuron = @neuron_id AND f.to_neuron <> @neuron_id
          AND f.timestamp >= @since
          AND f.timestamp <= min(CAST(@until AS DATETIME) - 1, CAST(@cursor_timestamp AS DATETIME))
          AND (+f.timestamp, f.id) < (CAST(@cursor_timestamp AS DATETIME), CAST(@cursor_id AS UUID_TEXT))
          AND (f.layer_from = sqlc.narg('layer') OR f.layer_to = sqlc.narg('layer') OR sqlc.narg('layer') IS NULL)
        ORDER BY f.timestamp DESC, f.id DESC
        LIMIT @page_limit)
) AS s
ORDER BY timestamp DESC, id DESC
LIMIT @page_limit;

-- name: SignalListByReference :many
-- read: replica
SELECT id, from_neuron, to_neuron, layer_from, layer_to, propagation_type, content, metadata, timestamp
FROM signals
WHERE +timestamp >= @since -- + keeps the index on time out: all since then is more than all that names one
  AND (json_extract(metadata, '$.signal_id') = +CAST(@reference AS UUID_TEXT) -- + lets the index be used: it has no affinity
       OR json_extract(metadata, '$.parent_id') = +CAST(@reference AS UUID_TEXT))
ORDER BY timestamp, id
LIMIT @page_limit;
