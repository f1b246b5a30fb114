-- name: NeuronActivityGet :one
-- cache: neuron:{neuron_id}:metrics
SELECT neuron_id, signals_processed, last_signal_at
FROM neuron_activity
WHERE neuron_id = @neuron_id;

-- name: NeuronActivityList :many
-- cache: neuron:activity:{*} group neuron_activity
SELECT neuron_id, signals_processed, last_signal_at
FROM neuron_activity
WHERE neuron_id > @after_id
ORDER BY neuron_id
LIMIT @page_limit;

-- name: NeuronActivityAdd :execrows
-- invalidates: neuron:{neuron_id}:metrics, group neuron_activity
-- differs: ON CONFLICT, because max() of a NULL is NULL here, and greatest() passes it over there
INSERT INTO neuron_activity (neuron_id, signals_processed, last_signal_at)
SELECT n.id, CAST(@signals_added AS INTEGER), CAST(sqlc.narg('last_signal_at') AS DATETIME)
FROM neurons AS n
WHERE n.id = @neuron_id
ON CONFLICT (neuron_id) DO UPDATE
SET signals_processed = neuron_activity.signals_processed + excluded.signals_processed,
    last_signal_at = max(coalesce(neuron_activity.last_signal_at, excluded.last_signal_at), coalesce(excluded.last_signal_at, neuron_activity.last_signal_at));

-- name: NeuronActivityRecount :execrows
-- invalidates: neuron:{neuron_id}:metrics, group neuron_activity
INSERT INTO neuron_activity (neuron_id, signals_processed, last_signal_at)
SELECT n.id,
       (SELECT count(*) FROM signals AS t WHERE t.to_neuron = n.id),
       (SELECT f.timestamp FROM signals AS f WHERE f.from_neuron = n.id ORDER BY f.timestamp DESC LIMIT 1)
FROM neurons AS n
WHERE n.id = @neuron_id
ON CONFLICT (neuron_id) DO UPDATE
SET signals_processed = excluded.signals_processed, last_signal_at = excluded.last_signal_at;
