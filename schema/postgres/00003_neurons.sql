-- Neurons, and what is known of their traffic.

-- +goose Up
-- condition is what a state means to the health of the neuron: states are free
-- words, and only the service's Go code knows which of them say failed or stopped.
CREATE TABLE neurons (
    id            text COLLATE "C" NOT NULL,
    layer         text COLLATE "C" NOT NULL,
    system_prompt text             NOT NULL DEFAULT '',
    settings      jsonb            NOT NULL DEFAULT '{}',
    state         text COLLATE "C" NOT NULL DEFAULT 'idle',
    condition     text COLLATE "C" NOT NULL DEFAULT 'running',
    state_set_at  timestamptz,
    running_since timestamptz      NOT NULL,
    errors_count  bigint           NOT NULL DEFAULT 0,
    created_at    timestamptz      NOT NULL,
    updated_at    timestamptz      NOT NULL,
    version       bigint           NOT NULL DEFAULT nextval('row_version_seq'),
    CONSTRAINT neurons_pkey PRIMARY KEY (id),
    CONSTRAINT neurons_id_check CHECK (length(id) BETWEEN 1 AND 255),
    CONSTRAINT neurons_layer_check CHECK (length(layer) BETWEEN 1 AND 255),
    CONSTRAINT neurons_state_check CHECK (length(state) BETWEEN 1 AND 255),
    CONSTRAINT neurons_condition_check CHECK (condition IN ('running', 'failed', 'stopped'))
);

-- Brought up to date in batches, apart from neurons: counting a signal must not
-- give the neuron a new version, nor drop it from the caches.
CREATE TABLE neuron_activity (
    neuron_id         text COLLATE "C" NOT NULL,
    signals_processed bigint           NOT NULL DEFAULT 0,
    last_signal_at    timestamptz,
    CONSTRAINT neuron_activity_pkey PRIMARY KEY (neuron_id),
    CONSTRAINT neuron_activity_neuron_id_fkey FOREIGN KEY (neuron_id) REFERENCES neurons (id) ON DELETE CASCADE,
    -- Half the range of bigint: the sum of two does not overflow.
    CONSTRAINT neuron_activity_signals_processed_check CHECK (signals_processed BETWEEN 0 AND 4611686018427387903)
);

-- The default targets of a signal that names only a layer.
INSERT INTO neurons (id, layer, running_since, created_at, updated_at)
VALUES ('neuron-l1', 'L1', now(), now(), now()),
       ('neuron-l2', 'L2', now(), now(), now()),
       ('neuron-l3', 'L3', now(), now(), now()),
       ('neuron-l4', 'L4', now(), now(), now());

INSERT INTO neuron_activity (neuron_id) SELECT id FROM neurons;

-- +goose Down
DROP TABLE neuron_activity;
DROP TABLE neurons;
