-- Aggregated metrics and the audit log.

-- +goose Up
CREATE TABLE metrics_aggregate (
    id          UUID_TEXT NOT NULL,
    metric_name TEXT      NOT NULL,
    neuron_id   TEXT,
    value       REAL      NOT NULL,
    labels      JSON_TEXT NOT NULL DEFAULT '{}',
    timestamp   DATETIME  NOT NULL,
    CONSTRAINT metrics_aggregate_pkey PRIMARY KEY (id),
    CONSTRAINT metrics_aggregate_id_check CHECK (typeof(id) = 'text' AND length(id) = 36),
    CONSTRAINT metrics_aggregate_labels_check CHECK (typeof(labels) = 'text' AND json_valid(labels)),
    CONSTRAINT metrics_aggregate_metric_name_check CHECK (typeof(metric_name) = 'text' AND length(metric_name) BETWEEN 1 AND 255),
    CONSTRAINT metrics_aggregate_neuron_id_check CHECK (typeof(neuron_id) IN ('text', 'null') AND length(neuron_id) BETWEEN 1 AND 255),
    CONSTRAINT metrics_aggregate_timestamp_check CHECK (typeof(timestamp) = 'integer'),
    CONSTRAINT metrics_aggregate_value_check CHECK (typeof(value) = 'real')
);

-- MetricList.
CREATE INDEX metrics_aggregate_metric_name_idx ON metrics_aggregate (metric_name, timestamp, id);
-- MetricDeleteOld.
CREATE INDEX metrics_aggregate_timestamp_idx ON metrics_aggregate (timestamp);

-- No foreign key to users: what a user did outlives the user.
CREATE TABLE audit_log (
    id            UUID_TEXT NOT NULL,
    user_id       UUID_TEXT,
    action        TEXT      NOT NULL,
    resource_type TEXT      NOT NULL,
    resource_id   TEXT,
    details       JSON_TEXT NOT NULL DEFAULT '{}',
    ip_address    TEXT,
    user_agent    TEXT,
    created_at    DATETIME  NOT NULL,
    CONSTRAINT audit_log_pkey PRIMARY KEY (id),
    CONSTRAINT audit_log_action_check CHECK (typeof(action) = 'text' AND length(action) BETWEEN 1 AND 255),
    CONSTRAINT audit_log_created_at_check CHECK (typeof(created_at) = 'integer'),
    CONSTRAINT audit_log_details_check CHECK (typeof(details) = 'text' AND json_valid(details)),
    CONSTRAINT audit_log_id_check CHECK (typeof(id) = 'text' AND length(id) = 36),
    CONSTRAINT audit_log_ip_address_check CHECK (typeof(ip_address) IN ('text', 'null')),
    CONSTRAINT audit_log_resource_id_check CHECK (typeof(resource_id) IN ('text', 'null')),
    CONSTRAINT audit_log_resource_type_check CHECK (typeof(resource_type) = 'text' AND length(resource_type) BETWEEN 1 AND 255),
    CONSTRAINT audit_log_user_agent_check CHECK (typeof(user_agent) IN ('text', 'null')),
    CONSTRAINT audit_log_user_id_check CHECK (typeof(user_id) IN ('text', 'null') AND length(user_id) = 36)
);

-- AuditList and AuditDeleteOld.
CREATE INDEX audit_log_created_at_idx ON audit_log (created_at, id);

-- +goose Down
DROP TABLE audit_log;
DROP TABLE metrics_aggregate;
