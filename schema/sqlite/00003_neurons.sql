-- Neurons, and what is known of their traffic.

-- +goose Up
-- condition is what a state means to the health of the neuron: states are free
-- words, and only the service's Go code knows which of them say failed or stopped.
CREATE TABLE neurons (
    id            TEXT      NOT NULL,
    layer         TEXT      NOT NULL,
    system_prompt TEXT      NOT NULL DEFAULT '',
    settings      JSON_TEXT NOT NULL DEFAULT '{}',
    state         TEXT      NOT NULL DEFAULT 'idle',
    condition     TEXT      NOT NULL DEFAULT 'running',
    state_set_at  DATETIME,
    running_since DATETIME  NOT NULL,
    errors_count  BIGINT    NOT NULL DEFAULT 0,
    created_at    DATETIME  NOT NULL,
    updated_at    DATETIME  NOT NULL,
    version       BIGINT    NOT NULL,
    CONSTRAINT neurons_pkey PRIMARY KEY (id),
    CONSTRAINT neurons_condition_check CHECK (typeof(condition) = 'text' AND condition IN ('running', 'failed', 'stopped')),
    CONSTRAINT neurons_created_at_check CHECK (typeof(created_at) = 'integer'),
    CONSTRAINT neurons_errors_count_check CHECK (typeof(errors_count) = 'integer'),
    CONSTRAINT neurons_id_check CHECK (typeof(id) = 'text' AND length(id) BETWEEN 1 AND 255),
    CONSTRAINT neurons_layer_check CHECK (typeof(layer) = 'text' AND length(layer) BETWEEN 1 AND 255),
    CONSTRAINT neurons_running_since_check CHECK (typeof(running_since) = 'integer'),
    CONSTRAINT neurons_settings_check CHECK (typeof(settings) = 'text' AND json_valid(settings)),
    CONSTRAINT neurons_state_check CHECK (typeof(state) = 'text' AND length(state) BETWEEN 1 AND 255),
    CONSTRAINT neurons_state_set_at_check CHECK (typeof(state_set_at) IN ('integer', 'null')),
    CONSTRAINT neurons_system_prompt_check CHECK (typeof(system_prompt) = 'text'),
    CONSTRAINT neurons_updated_at_check CHECK (typeof(updated_at) = 'integer'),
    CONSTRAINT neurons_version_check CHECK (typeof(version) = 'integer')
);

-- +goose StatementBegin
CREATE TRIGGER neurons_version_insert AFTER INSERT ON neurons
BEGIN
    UPDATE row_version SET value = max(value, NEW.version);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER neurons_version_update AFTER UPDATE OF version ON neurons
BEGIN
    UPDATE row_version SET value = max(value, NEW.version);
END;
-- +goose StatementEnd

-- Brought up to date in batches, apart from neurons: counting a signal must not
-- give the neuron a new version, nor drop it from the caches.
CREATE TABLE neuron_activity (
    neuron_id         TEXT     NOT NULL,
    signals_processed BIGINT   NOT NULL DEFAULT 0,
    last_signal_at    DATETIME,
    CONSTRAINT neuron_activity_pkey PRIMARY KEY (neuron_id),
    CONSTRAINT neuron_activity_neuron_id_fkey FOREIGN KEY (neuron_id) REFERENCES neurons (id) ON DELETE CASCADE,
    CONSTRAINT neuron_activity_last_signal_at_check CHECK (typeof(last_signal_at) IN ('integer', 'null')),
    CONSTRAINT neuron_activity_neuron_id_check CHECK (typeof(neuron_id) = 'text' AND length(neuron_id) BETWEEN 1 AND 255),
    CONSTRAINT neuron_activity_signals_processed_check CHECK (typeof(signals_processed) = 'integer' AND signals_processed BETWEEN 0 AND 4611686018427387903)
);

-- The default targets of a signal that names only a layer.
INSERT INTO neurons (id, layer, running_since, created_at, updated_at, version)
SELECT t.id, t.layer, t.moment, t.moment, t.moment, (SELECT value FROM row_version) + t.nth
FROM (SELECT 'neuron-' || lower(layer) AS id, layer, nth, CAST(strftime('%s', 'now') AS INTEGER) * 1000000 AS moment
      FROM (SELECT 'L1' AS layer, 1 AS nth UNION ALL SELECT 'L2', 2 UNION ALL SELECT 'L3', 3 UNION ALL SELECT 'L4', 4)) AS t;

INSERT INTO neuron_activity (neuron_id) SELECT id FROM neurons;

-- +goose Down
DROP TABLE neuron_activity;
DROP TABLE neurons;
