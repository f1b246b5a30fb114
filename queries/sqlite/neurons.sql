-- name: NeuronInsert :one
-- invalidates: neuron:{id}, neuron:{id}:state, group neurons
INSERT INTO neurons (id, layer, system_prompt, settings, state, condition, running_since, created_at, updated_at, version)
VALUES (@id, @layer, @system_prompt, @settings, @state, @condition, @created_at, @created_at, @created_at, (SELECT value + 1 FROM row_version))
RETURNING id, layer, system_prompt, settings, state, condition, state_set_at, running_since, errors_count, created_at, updated_at, version;

-- name: NeuronUpdate :one
-- invalidates: neuron:{id}, neuron:{id}:state, group neurons
UPDATE neurons
SET layer = @layer, system_prompt = @system_prompt, settings = @settings,
    updated_at = @updated_at, version = (SELECT value + 1 FROM row_version)
WHERE id = @id
  AND (version = sqlc.narg('if_version') OR sqlc.narg('if_version') IS NULL)
RETURNING id, layer, system_prompt, settings, state, condition, state_set_at, running_since, errors_count, created_at, updated_at, version;

-- name: NeuronImport :execrows
-- invalidates: neuron:{id}, neuron:{id}:state, group neurons
INSERT INTO neurons (id, layer, system_prompt, settings, state, condition, running_since, created_at, updated_at, version)
VALUES (@id, @layer, @system_prompt, @settings, @state, @condition, @created_at, @created_at, @updated_at, (SELECT value + 1 FROM row_version))
ON CONFLICT (id) DO NOTHING;

-- name: NeuronGet :one
-- cache: neuron:{id}
SELECT id, layer, system_prompt, settings, state, condition, state_set_at, running_since, errors_count, created_at, updated_at, version
FROM neurons
WHERE id = @id;

-- name: NeuronGetState :one
-- returns: NeuronState
-- cache: neuron:{id}:state
SELECT id, state, condition, state_set_at, running_since, errors_count, version
FROM neurons
WHERE id = @id;

-- name: NeuronList :many
-- cache: neuron:list:{*} group neurons
SELECT id, layer, system_prompt, settings, state, condition, state_set_at, running_since, errors_count, created_at, updated_at, version
FROM neurons
WHERE id > @after_id
  AND (layer = sqlc.narg('layer') OR sqlc.narg('layer') IS NULL)
  AND (state = sqlc.narg('state') OR sqlc.narg('state') IS NULL)
ORDER BY id
LIMIT @page_limit;

-- name: NeuronSetState :one
-- invalidates: neuron:{id}, neuron:{id}:state, group neurons
UPDATE neurons
SET state = @state,
    errors_count = errors_count + CASE WHEN CAST(@condition AS TEXT) = 'failed' AND condition <> 'failed' THEN 1 ELSE 0 END,
    running_since = CASE WHEN CAST(@condition AS TEXT) = 'running' AND condition <> 'running' THEN CAST(@updated_at AS DATETIME) ELSE running_since END,
    condition = CAST(@condition AS TEXT),
    state_set_at = CAST(@updated_at AS DATETIME),
    updated_at = CAST(@updated_at AS DATETIME),
    version = (SELECT value + 1 FROM row_version)
WHERE id = @id
  AND (version = sqlc.narg('if_version') OR sqlc.narg('if_version') IS NULL)
RETURNING id, layer, system_prompt, settings, state, condition, state_set_at, running_since, errors_count, created_at, updated_at, version;

-- name: NeuronApplyState :one
-- invalidates: neuron:{id}, neuron:{id}:state, group neurons
UPDATE neurons
SET state = @state,
    errors_count = errors_count + CASE WHEN CAST(@condition AS TEXT) = 'failed' AND condition <> 'failed' THEN 1 ELSE 0 END,
    running_since = CASE WHEN CAST(@condition AS TEXT) = 'running' AND condition <> 'running' THEN CAST(@updated_at AS DATETIME) ELSE running_since END,
    condition = CAST(@condition AS TEXT),
    state_set_at = CAST(@updated_at AS DATETIME),
    updated_at = CAST(@updated_at AS DATETIME),
    version = CAST(@version AS INTEGER)
WHERE id = @id AND version < CAST(@version AS INTEGER)
RETURNING id, layer, system_prompt, settings, state, condition, state_set_at, running_since, errors_count, created_at, updated_at, version;

-- name: NeuronVersionNext :one
-- differs: everything, because a row stands for the sequence
UPDATE row_version
SET value = value + 1
RETURNING value AS version;

-- name: NeuronDelete :one
-- invalidates: neuron:{id}, neuron:{id}:state, group neurons
-- invalidates: neuron:{id}:metrics, group neuron_activity
DELETE FROM neurons
WHERE id = @id
  AND (version = sqlc.narg('if_version') OR sqlc.narg('if_version') IS NULL)
RETURNING id, version;

-- name: NeuronCountByState :many
-- cache: neuron:states group neurons
SELECT state, condition, count(*) AS neurons_count
FROM neurons
GROUP BY state, condition
ORDER BY state, condition;
