-- name: NeuronInsert :one
-- NeuronInsert stores a new neuron. ErrConflict names id when there is one already.
-- invalidates: neuron:{id}, neuron:{id}:state, group neurons
INSERT INTO neurons (id, layer, system_prompt, settings, state, condition, running_since, created_at, updated_at, version)
VALUES (@id, @layer, @system_prompt, @settings, @state, @condition, @created_at, @created_at, @created_at, nextval('row_version_seq'))
RETURNING id, layer, system_prompt, settings, state, condition, state_set_at, running_since, errors_count, created_at, updated_at, version;

-- name: NeuronUpdate :one
-- NeuronUpdate replaces layer, prompt and settings of a neuron, whatever version it
-- has or only at if_version; its state stays. ErrNotFound if there is none such.
-- invalidates: neuron:{id}, neuron:{id}:state, group neurons
UPDATE neurons
SET layer = @layer, system_prompt = @system_prompt, settings = @settings,
    updated_at = @updated_at, version = nextval('row_version_seq')
WHERE id = @id
  AND (sqlc.narg('if_version')::bigint IS NULL OR version = sqlc.narg('if_version')::bigint)
RETURNING id, layer, system_prompt, settings, state, condition, state_set_at, running_since, errors_count, created_at, updated_at, version;

-- name: NeuronImport :execrows
-- NeuronImport stores a neuron that another database held, unless the id is there
-- already; it returns the number of rows written.
-- invalidates: neuron:{id}, neuron:{id}:state, group neurons
INSERT INTO neurons (id, layer, system_prompt, settings, state, condition, running_since, created_at, updated_at, version)
VALUES (@id, @layer, @system_prompt, @settings, @state, @condition, @created_at, @created_at, @updated_at, nextval('row_version_seq'))
ON CONFLICT (id) DO NOTHING;

-- name: NeuronGet :one
-- NeuronGet returns one neuron, ErrNotFound if there is none.
-- cache: neuron:{id}
SELECT id, layer, system_prompt, settings, state, condition, state_set_at, running_since, errors_count, created_at, updated_at, version
FROM neurons
WHERE id = @id;

-- name: NeuronGetState :one
-- NeuronGetState returns the part of a neuron that its health is told by, ErrNotFound
-- if there is none.
-- returns: NeuronState
-- cache: neuron:{id}:state
SELECT id, state, condition, state_set_at, running_since, errors_count, version
FROM neurons
WHERE id = @id;

-- name: NeuronList :many
-- NeuronList returns the neurons in order of their ids, from the first one after
-- after_id ('' for the first page), of one layer and in one state if those are given.
-- cache: neuron:list:{*} group neurons
SELECT id, layer, system_prompt, settings, state, condition, state_set_at, running_since, errors_count, created_at, updated_at, version
FROM neurons
WHERE id > @after_id
  AND CASE WHEN sqlc.narg('layer')::text IS NULL THEN true ELSE layer = sqlc.narg('layer')::text END
  AND CASE WHEN sqlc.narg('state')::text IS NULL THEN true ELSE state = sqlc.narg('state')::text END
ORDER BY id
LIMIT @page_limit::bigint;

-- name: NeuronSetState :one
-- NeuronSetState sets the state, and what it means to the health of the neuron:
-- condition is running, failed or stopped. Entering failed counts an error; coming
-- back from failed or stopped starts the running time anew. With if_version only the
-- row of that version is changed; ErrNotFound if there is none such.
-- invalidates: neuron:{id}, neuron:{id}:state, group neurons
UPDATE neurons
SET state = @state,
    errors_count = errors_count + CASE WHEN @condition::text = 'failed' AND condition <> 'failed' THEN 1 ELSE 0 END,
    running_since = CASE WHEN @condition::text = 'running' AND condition <> 'running' THEN @updated_at::timestamptz ELSE running_since END,
    condition = @condition::text,
    state_set_at = @updated_at::timestamptz,
    updated_at = @updated_at::timestamptz,
    version = nextval('row_version_seq')
WHERE id = @id
  AND (sqlc.narg('if_version')::bigint IS NULL OR version = sqlc.narg('if_version')::bigint)
RETURNING id, layer, system_prompt, settings, state, condition, state_set_at, running_since, errors_count, created_at, updated_at, version;

-- name: NeuronApplyState :one
-- NeuronApplyState is NeuronSetState of a change that was accepted earlier, when it took
-- its version from NeuronVersionNext: nothing that came later is undone. ErrNotFound if
-- the neuron is newer, or is not there any more.
-- invalidates: neuron:{id}, neuron:{id}:state, group neurons
UPDATE neurons
SET state = @state,
    errors_count = errors_count + CASE WHEN @condition::text = 'failed' AND condition <> 'failed' THEN 1 ELSE 0 END,
    running_since = CASE WHEN @condition::text = 'running' AND condition <> 'running' THEN @updated_at::timestamptz ELSE running_since END,
    condition = @condition::text,
    state_set_at = @updated_at::timestamptz,
    updated_at = @updated_at::timestamptz,
    version = @version::bigint
WHERE id = @id AND version < @version::bigint
RETURNING id, layer, system_prompt, settings, state, condition, state_set_at, running_since, errors_count, created_at, updated_at, version;

-- name: NeuronVersionNext :one
-- NeuronVersionNext takes the version of a change that is stored later.
SELECT nextval('row_version_seq')::bigint AS version;

-- name: NeuronDelete :one
-- NeuronDelete removes a neuron, with if_version only at that version, and returns the
-- version that it had; ErrNotFound if there is none such. Its signals and memories stay.
-- invalidates: neuron:{id}, neuron:{id}:state, group neurons
-- invalidates: neuron:{id}:metrics, group neuron_activity
DELETE FROM neurons
WHERE id = @id
  AND (sqlc.narg('if_version')::bigint IS NULL OR version = sqlc.narg('if_version')::bigint)
RETURNING id, version;

-- name: NeuronCountByState :many
-- NeuronCountByState counts the neurons of each state.
-- cache: neuron:states group neurons
SELECT state, condition, count(*) AS neurons_count
FROM neurons
GROUP BY state, condition
ORDER BY state, condition;
