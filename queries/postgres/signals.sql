-- name: SignalInsert :execrows
-- SignalInsert stores a signal; 0 rows say that this id is stored at this time already.
-- invalidates: nothing of signal:{id}, because rows never change and the absence of one is not remembered
INSERT INTO signals (id, from_neuron, to_neuron, layer_from, layer_to, propagation_type, content, metadata, timestamp)
VALUES (@id, @from_neuron, @to_neuron, @layer_from, @layer_to, @propagation_type, @content, @metadata, @timestamp)
ON CONFLICT (id, timestamp) DO NOTHING;

-- name: SignalGet :one
-- SignalGet returns the signal with this id and time: one partition is looked at.
-- cache: signal:{id} group signals if found
SELECT id, from_neuron, to_neuron, layer_from, layer_to, propagation_type, content, metadata, timestamp
FROM signals
WHERE id = @id AND timestamp = @timestamp;

-- name: SignalFind :one
-- SignalFind returns the signal with this id, whatever its time: each partition is
-- looked at. The latest one, should an import have brought several.
-- cache: signal:{id} group signals if found
SELECT id, from_neuron, to_neuron, layer_from, layer_to, propagation_type, content, metadata, timestamp
FROM (
    SELECT id, from_neuron, to_neuron, layer_from, layer_to, propagation_type, content, metadata, timestamp
    FROM signals
    WHERE id = @id
    -- A fence: the planner would walk the signals in the order of time, looking for the id.
    OFFSET 0
) AS found
ORDER BY timestamp DESC
LIMIT 1;

-- name: SignalListStoredIDs :many
-- SignalListStoredIDs returns those of the given ids, a JSON array of strings, that
-- are stored in any partition.
SELECT DISTINCT id
FROM signals
WHERE id = ANY (ARRAY(SELECT CAST(wanted AS uuid) FROM jsonb_array_elements_text(@ids::jsonb) AS wanted))
ORDER BY id;

-- name: SignalListByIDs :many
-- SignalListByIDs returns those of the given ids, a JSON array of strings, that are
-- stored from since to until, both included: only the partitions of that time are
-- looked at. In order of ids and times.
SELECT id, from_neuron, to_neuron, layer_from, layer_to, propagation_type, content, metadata, timestamp
FROM signals
WHERE id = ANY (ARRAY(SELECT CAST(wanted AS uuid) FROM jsonb_array_elements_text(@ids::jsonb) AS wanted))
  AND timestamp >= @since AND timestamp <= @until
ORDER BY id, timestamp;

-- name: SignalList :many
-- SignalList returns the signals from since to before until, the newest first, after
-- the cursor (cursor_timestamp, cursor_id), of one layer on either side if it is given.
-- read: replica
SELECT id, from_neuron, to_neuron, layer_from, layer_to, propagation_type, content, metadata, timestamp
FROM signals
WHERE timestamp >= @since AND timestamp < @until
  AND (timestamp, id) < (@cursor_timestamp::timestamptz, @cursor_id::uuid)
  -- Says nothing new, but partitions are left out by it.
  AND timestamp <= @cursor_timestamp::timestamptz
  -- A CASE, as in MemoryList.
  AND CASE WHEN sqlc.narg('layer')::text IS NULL THEN true ELSE layer_from = sqlc.narg('layer')::text OR layer_to = sqlc.narg('layer')::text END
ORDER BY timestamp DESC, id DESC
LIMIT @page_limit::bigint;

-- name: SignalListAfter :many
-- SignalListAfter returns the signals after the cursor (cursor_timestamp, cursor_id) and
-- before until, the oldest first.
SELECT id, from_neuron, to_neuron, layer_from, layer_to, propagation_type, content, metadata, timestamp
FROM signals
WHERE timestamp >= @cursor_timestamp AND timestamp < @until
  AND (timestamp, id) > (@cursor_timestamp::timestamptz, @cursor_id::uuid)
ORDER BY timestamp, id
LIMIT @page_limit::bigint;

-- name: SignalListByNeuron :many
-- SignalListByNeuron is SignalList of what one neuron sent or was sent.
-- read: replica
SELECT id, from_neuron, to_neuron, layer_from, layer_to, propagation_type, content, metadata, timestamp
FROM (
    (SELECT t.id, t.from_neuron, t.to_neuron, t.layer_from, t.layer_to, t.propagation_type, t.content, t.metadata, t.timestamp
     FROM signals AS t
     -- Not = and not in the order of time alone: the planner takes each sender for as busy
     -- as the average, and would walk all signals, looking for one that sent none.
     WHERE t.to_neuron >= @neuron_id::text AND t.to_neuron <= @neuron_id::text
       AND t.timestamp >= @since AND t.timestamp < @until
       AND (t.timestamp, t.id) < (@cursor_timestamp::timestamptz, @cursor_id::uuid)
       AND t.timestamp <= @cursor_timestamp::timestamptz
       AND (t.to_neuron, t.timestamp) >= (@neuron_id::text, @since) AND (t.to_neuron, t.timestamp) <= (@neuron_id::text, @cursor_timestamp::timestamptz)
       AND CASE WHEN sqlc.narg('layer')::text IS NULL THEN true ELSE t.layer_from = sqlc.narg('layer')::text OR t.layer_to = sqlc.narg('layer')::text END
     ORDER BY t.to_neuron DESC, t.timestamp DESC, t.id DESC
     LIMIT @page_limit::bigint)
    UNION ALL
    (SELECT f.id, f.from_neuron, f.to_neuron, f.layer_from, f.layer_to, f.propagation_type, f.content, f.metadata, f.timestamp
     FROM signals AS f
     WHERE f.from_neuron >= @neuron_id::text AND f.from_neuron <= @neuron_id::text AND f.to_neuron <> @neuron_id::text
       AND f.timestamp >= @since AND f.timestamp < @until
       AND (f.timestamp, f.id) < (@cursor_timestamp::timestamptz, @cursor_id::uuid)
       AND f.timestamp <= @cursor_timestamp::timestamptz
       AND (f.from_neuron, f.timestamp) >= (@neuron_id::text, @since) AND (f.from_neuron, f.timestamp) <= (@neuron_id::text, @cursor_timestamp::timestamptz)
       AND CASE WHEN sqlc.narg('layer')::text IS NULL THEN true ELSE f.layer_from = sqlc.narg('layer')::text OR f.layer_to = sqlc.narg('layer')::text END
     ORDER BY f.from_neuron DESC, f.timestamp DESC, f.id DESC
     LIMIT @page_limit::bigint)
) AS s
ORDER BY timestamp DESC, id DESC
LIMIT @page_limit::bigint;

-- name: SignalListByReference :many
-- SignalListByReference returns the signals since a moment whose metadata names the given
-- id as signal_id or parent_id, the oldest first.
-- read: replica
SELECT id, from_neuron, to_neuron, layer_from, layer_to, propagation_type, content, metadata, timestamp
FROM (
    SELECT id, from_neuron, to_neuron, layer_from, layer_to, propagation_type, content, metadata, timestamp
    FROM signals
    WHERE timestamp >= @since
      AND (metadata ->> 'signal_id' = (@reference::uuid)::text OR metadata ->> 'parent_id' = (@reference::uuid)::text)
    -- A fence, as in SignalFind.
    OFFSET 0
) AS found
ORDER BY timestamp, id
LIMIT @page_limit::bigint;

-- name: SignalInsertUnnest :many
-- SignalInsertUnnest stores many signals, passes over those whose id is stored
-- already, and returns the keys that were written.
-- engine: postgres
INSERT INTO signals (id, from_neuron, to_neuron, layer_from, layer_to, propagation_type, content, metadata, timestamp)
SELECT unnest(@ids::uuid[]), unnest(@from_neurons::text[]), unnest(@to_neurons::text[]), unnest(@layers_from::text[]),
       unnest(@layers_to::text[]), unnest(@propagation_types::text[]), unnest(@contents::text[]),
       unnest(@metadatas::jsonb[]), unnest(@timestamps::timestamptz[])
ON CONFLICT (id, timestamp) DO NOTHING
RETURNING id, timestamp;

-- name: SignalListByKeys :many
-- SignalListByKeys is SignalGet for several callers: for each key one partition is
-- looked at.
-- engine: postgres
SELECT s.id, s.from_neuron, s.to_neuron, s.layer_from, s.layer_to, s.propagation_type, s.content, s.metadata, s.timestamp
FROM (SELECT unnest(@ids::uuid[]) AS id, unnest(@timestamps::timestamptz[]) AS timestamp) AS wanted
CROSS JOIN LATERAL (
    SELECT t.id, t.from_neuron, t.to_neuron, t.layer_from, t.layer_to, t.propagation_type, t.content, t.metadata, t.timestamp
    FROM signals AS t
    WHERE t.id = wanted.id AND t.timestamp = wanted.timestamp
    -- A fence: no join with the signals as a whole.
    OFFSET 0
) AS s;

-- name: SignalListByReferences :many
-- SignalListByReferences is SignalListByReference for several callers, of which places,
-- from 0, tell whose a row is.
-- engine: postgres
SELECT wanted.place::bigint AS place, s.id, s.from_neuron, s.to_neuron, s.layer_from, s.layer_to, s.propagation_type, s.content, s.metadata, s.timestamp
FROM (SELECT unnest(@wanted_references::uuid[]) AS reference, unnest(@sinces::timestamptz[]) AS since, unnest(@places::bigint[]) AS place) AS wanted
CROSS JOIN LATERAL (
    SELECT found.id, found.from_neuron, found.to_neuron, found.layer_from, found.layer_to, found.propagation_type, found.content, found.metadata, found.timestamp
    FROM (
        SELECT t.id, t.from_neuron, t.to_neuron, t.layer_from, t.layer_to, t.propagation_type, t.content, t.metadata, t.timestamp
        FROM signals AS t
        WHERE t.timestamp >= wanted.since
          AND (t.metadata ->> 'signal_id' = wanted.reference::text OR t.metadata ->> 'parent_id' = wanted.reference::text)
        OFFSET 0
    ) AS found
    ORDER BY found.timestamp, found.id
    LIMIT @page_limit::bigint
) AS s
ORDER BY wanted.place, s.timestamp, s.id;
