REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO hal9_server;
GRANT SELECT ON goose_db_version, schema_compatibility TO hal9_server;
GRANT SELECT, INSERT, UPDATE, DELETE ON database_epoch, users, sessions, refresh_tokens, api_keys,
    legacy_details, idempotency_keys, upkeep_leases,
    neurons, neuron_activity, signals, memories, metrics_aggregate, audit_log TO hal9_server;
GRANT USAGE ON SEQUENCE row_version_seq TO hal9_server;
GRANT EXECUTE ON FUNCTION signals_partition_ensure(timestamptz), signals_partition_list(),
    signals_partition_drop(timestamptz) TO hal9_server;
