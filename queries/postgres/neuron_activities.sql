-- name: NeuronActivityGet :one
-- NeuronActivityGet returns what is known of a neuron's traffic; it lags by the
-- time between two batches. ErrNotFound if nothing was recorded yet.
-- cache: neuron:{neuron_id}:metrics
SELECT neuron_id, signals_processed, last_signal_at
FROM neuron_activity
WHERE neuron_id = @neuron_id;

-- name: NeuronActivityList :many
-- NeuronActivityList returns the traffic of the neurons after after_id, in order of their ids.
-- cache: neuron:activity:{*} group neuron_activity
SELECT neuron_id, signals_processed, last_signal_at
FROM neuron_activity
WHERE neuron_id > @after_id
ORDER BY neuron_id
LIMIT @page_limit::bigint;

-- name: NeuronActivityAdd :execrows
-- NeuronActivityAdd adds a batch of counts to one neuron; a neuron that is unknown
-- is passed over. last_signal_at only ever moves forward.
-- invalidates: neuron:{neuron_id}:metrics, group neuron_activity
INSERT INTO neuron_activity (neuron_id, signals_processed, last_signal_at)
SELECT n.id, @signals_added::bigint, sqlc.narg('last_signal_at')::timestamptz
FROM neurons AS n
WHERE n.id = @neuron_id
ON CONFLICT (neuron_id) DO UPDATE
SET signals_processed = neuron_activity.signals_processed + excluded.signals_processed,
    last_signal_at = greatest(neuron_activity.last_signal_at, excluded.last_signal_at);

-- name: NeuronActivityRecount :execrows
-- NeuronActivityRecount sets one neuron's traffic from the signals that are stored.
-- invalidates: neuron:{neuron_id}:metrics, group neuron_activity
INSERT INTO neuron_activity (neuron_id, signals_processed, last_signal_at)
SELECT n.id,
       (SELECT count(*) FROM signals AS t WHERE t.to_neuron = n.id),
       (SELECT f.timestamp FROM signals AS f WHERE f.from_neuron = n.id ORDER BY f.timestamp DESC LIMIT 1)
FROM neurons AS n
WHERE n.id = @neuron_id
ON CONFLICT (neuron_id) DO UPDATE
SET signals_processed = excluded.signals_processed, last_signal_at = excluded.last_signal_at;
