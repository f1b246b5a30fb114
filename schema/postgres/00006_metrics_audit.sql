-- Aggregated metrics and the audit log.

-- +goose Up
CREATE TABLE metrics_aggregate (
    id          uuid             NOT NULL,
    metric_name text COLLATE "C" NOT NULL,
    neuron_id   text COLLATE "C",
    value       double precision NOT NULL,
    labels      jsonb            NOT NULL DEFAULT '{}',
    timestamp   timestamptz      NOT NULL,
    CONSTRAINT metrics_aggregate_pkey PRIMARY KEY (id),
    CONSTRAINT metrics_aggregate_metric_name_check CHECK (length(metric_name) BETWEEN 1 AND 255),
    CONSTRAINT metrics_aggregate_neuron_id_check CHECK (length(neuron_id) BETWEEN 1 AND 255)
);

-- MetricList.
CREATE INDEX metrics_aggregate_metric_name_idx ON metrics_aggregate (metric_name, timestamp, id);
-- MetricDeleteOld.
CREATE INDEX metrics_aggregate_timestamp_idx ON metrics_aggregate (timestamp);

-- No foreign key to users: what a user did outlives the user.
CREATE TABLE audit_log (
    id            uuid        NOT NULL,
    user_id       uuid,
    action        text        NOT NULL,
    resource_type text        NOT NULL,
    resource_id   text,
    details       jsonb       NOT NULL DEFAULT '{}',
    ip_address    text,
    user_agent    text,
    created_at    timestamptz NOT NULL,
    CONSTRAINT audit_log_pkey PRIMARY KEY (id),
    CONSTRAINT audit_log_action_check CHECK (length(action) BETWEEN 1 AND 255),
    CONSTRAINT audit_log_resource_type_check CHECK (length(resource_type) BETWEEN 1 AND 255)
);

-- AuditList and AuditDeleteOld.
CREATE INDEX audit_log_created_at_idx ON audit_log (created_at, id);

-- +goose Down
DROP TABLE audit_log;
DROP TABLE metrics_aggregate;
