-- name: MetricInsert :exec
INSERT INTO metrics_aggregate (id, metric_name, neuron_id, value, labels, timestamp)
VALUES (@id, @metric_name, @neuron_id, @value, @labels, @timestamp);

-- name: MetricList :many
-- read: replica
SELECT id, metric_name, neuron_id, value, labels, timestamp
FROM metrics_aggregate
WHERE metric_name = @metric_name AND timestamp >= @since AND timestamp < @until
ORDER BY timestamp, id
LIMIT @page_limit;

-- name: MetricDeleteOld :execrows
DELETE FROM metrics_aggregate
WHERE id IN (
    SELECT m.id
    FROM metrics_aggregate AS m
    WHERE m.timestamp < @older_than
    ORDER BY m.timestamp, m.id
    LIMIT @page_limit
);

-- name: MetricImport :execrows
INSERT INTO metrics_aggregate (id, metric_name, neuron_id, value, labels, timestamp)
VALUES (@id, @metric_name, @neuron_id, @value, @labels, @timestamp)
ON CONFLICT (id) DO NOTHING;

-- name: MetricListStoredIDs :many
SELECT id
FROM metrics_aggregate
WHERE id IN (SELECT value FROM json_each(CAST(@ids AS JSON_TEXT)))
ORDER BY id;
