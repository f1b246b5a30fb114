-- name: MetricInsert :exec
-- MetricInsert stores one aggregated value.
INSERT INTO metrics_aggregate (id, metric_name, neuron_id, value, labels, timestamp)
VALUES (@id, @metric_name, @neuron_id, @value, @labels, @timestamp);

-- name: MetricList :many
-- MetricList returns one metric's values from since to before until, the oldest first.
-- read: replica
SELECT id, metric_name, neuron_id, value, labels, timestamp
FROM metrics_aggregate
WHERE metric_name = @metric_name AND timestamp >= @since AND timestamp < @until
ORDER BY timestamp, id
LIMIT @page_limit::bigint;

-- name: MetricDeleteOld :execrows
-- MetricDeleteOld removes up to page_limit values older than the given moment.
DELETE FROM metrics_aggregate
WHERE id IN (
    SELECT m.id
    FROM metrics_aggregate AS m
    WHERE m.timestamp < @older_than
    ORDER BY m.timestamp, m.id
    LIMIT @page_limit::bigint
);

-- name: MetricImport :execrows
-- MetricImport stores a value that another database held, unless the id is there
-- already; it returns the number of rows written.
INSERT INTO metrics_aggregate (id, metric_name, neuron_id, value, labels, timestamp)
VALUES (@id, @metric_name, @neuron_id, @value, @labels, @timestamp)
ON CONFLICT (id) DO NOTHING;

-- name: MetricListStoredIDs :many
-- MetricListStoredIDs returns those of the given ids, a JSON array of strings, that are
-- stored.
SELECT id
FROM metrics_aggregate
WHERE id = ANY (ARRAY(SELECT CAST(wanted AS uuid) FROM jsonb_array_elements_text(@ids::jsonb) AS wanted))
ORDER BY id;
