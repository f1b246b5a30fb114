-- Signals, partitioned by month of their timestamp in UTC. The default partition
-- takes what no month accepts, so that no row is ever refused.

-- +goose Up
-- The functions below run with their owner's rights, so their search path is
-- pinned to the schema that this migration runs in (SET search_path FROM CURRENT),
-- temporary objects last: nobody can slip a table of his own under them.
SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);

-- Rows are immutable; they bear no version.
CREATE TABLE signals (
    id               uuid             NOT NULL,
    from_neuron      text COLLATE "C" NOT NULL,
    to_neuron        text COLLATE "C" NOT NULL,
    layer_from       text COLLATE "C" NOT NULL,
    layer_to         text COLLATE "C" NOT NULL,
    propagation_type text             NOT NULL DEFAULT 'forward',
    content          text             NOT NULL,
    metadata         jsonb            NOT NULL DEFAULT '{}',
    timestamp        timestamptz      NOT NULL,
    CONSTRAINT signals_pkey PRIMARY KEY (id, timestamp),
    CONSTRAINT signals_from_neuron_check CHECK (length(from_neuron) BETWEEN 1 AND 255),
    CONSTRAINT signals_to_neuron_check CHECK (length(to_neuron) BETWEEN 1 AND 255),
    CONSTRAINT signals_layer_from_check CHECK (length(layer_from) BETWEEN 1 AND 255),
    CONSTRAINT signals_layer_to_check CHECK (length(layer_to) BETWEEN 1 AND 255)
) PARTITION BY RANGE (timestamp);

-- Every index here is paid by every insert. Keyset pages order by (timestamp, id),
-- but an index on the timestamp alone serves them: the few rows of one microsecond
-- are sorted on the way.
-- SignalList.
CREATE INDEX signals_timestamp_idx ON signals (timestamp);
-- SignalListByNeuron, first half.
CREATE INDEX signals_to_neuron_idx ON signals (to_neuron, timestamp);
-- SignalListByNeuron, second half.
CREATE INDEX signals_from_neuron_idx ON signals (from_neuron, timestamp);
-- SignalListByReference. Partial: a signal that refers to none is not in them. Hashed:
-- a B-tree would refuse signals whose metadata holds a long text there.
CREATE INDEX signals_signal_ref_idx ON signals USING hash ((metadata ->> 'signal_id')) WHERE metadata ->> 'signal_id' IS NOT NULL;
CREATE INDEX signals_parent_ref_idx ON signals USING hash ((metadata ->> 'parent_id')) WHERE metadata ->> 'parent_id' IS NOT NULL;

-- +goose StatementBegin
DO $$
BEGIN
    EXECUTE 'CREATE TABLE signals_default PARTITION OF signals DEFAULT';
END
$$;
-- +goose StatementEnd

-- Makes the partition of the month that holds the given moment, and moves that
-- month's rows home from the default partition. Returns whether it was made.
-- Inserts pause while that happens, and ATTACH scans the default partition, so a
-- month is best made ahead, while no row of it exists.
--
-- lock_timeout is less than twice deadlock_timeout: should a transaction that has read
-- the default partition go on to write, this function gives way and not that one.
-- +goose StatementBegin
CREATE FUNCTION signals_partition_ensure(moment timestamptz) RETURNS boolean
    LANGUAGE plpgsql
    SECURITY DEFINER
    SET search_path FROM CURRENT
    SET lock_timeout = '1500ms'
    SET timezone = 'UTC'
AS $$
DECLARE
    range_start timestamptz := date_trunc('month', moment);
    range_end   timestamptz := date_trunc('month', moment) + interval '1 month';
    partition   text := 'signals_' || to_char(date_trunc('month', moment), '"y"YYYY"m"MM');
    bounds      text := format('CHECK (timestamp >= %L AND timestamp < %L)', range_start, range_end);
    existing    regclass;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('hal9.signals_partition', 0));

    -- With its schema, or a temporary table would be found.
    existing := to_regclass(format('%I.%I', current_schema(), partition));
    IF EXISTS (SELECT 1 FROM pg_catalog.pg_inherits
               WHERE inhparent = 'signals'::regclass AND inhrelid = existing) THEN
        RETURN false;
    END IF;
    IF existing IS NOT NULL THEN
        RAISE EXCEPTION 'table % exists but is no partition of signals', partition
            USING ERRCODE = 'duplicate_table', HINT = 'Attach it or rename it, then try again.';
    END IF;

    -- Made aside, with the range as a CHECK that spares ATTACH the scan of it.
    EXECUTE format('CREATE TABLE %I (LIKE signals INCLUDING ALL, CONSTRAINT %I %s)',
                   partition, partition || '_range', bounds);

    -- Parent before child, as inserts take them. The parent's lock keeps inserts away
    -- from the start: one that had chosen the default partition and then waited for it
    -- would be refused when it finds that its row belongs elsewhere by now.
    LOCK TABLE ONLY signals IN SHARE ROW EXCLUSIVE MODE;
    LOCK TABLE signals_default IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('WITH moved AS (
                        DELETE FROM signals_default WHERE timestamp >= $1 AND timestamp < $2 RETURNING *)
                    INSERT INTO %I SELECT * FROM moved', partition)
        USING range_start, range_end;
    EXECUTE format('ALTER TABLE signals ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                   partition, range_start, range_end);
    EXECUTE format('ALTER TABLE %I DROP CONSTRAINT %I', partition, partition || '_range');
    RETURN true;
END
$$;
-- +goose StatementEnd

-- Lists the partitions in order of time, the default one last. row_estimate is the
-- planner's, -1 before the first ANALYZE.
-- +goose StatementBegin
CREATE FUNCTION signals_partition_list()
    RETURNS TABLE (partition_name text, range_start timestamptz, range_end timestamptz,
                   is_default boolean, row_estimate bigint, total_bytes bigint)
    LANGUAGE sql
    STABLE
    SECURITY DEFINER
    SET search_path FROM CURRENT
    SET timezone = 'UTC'
AS $$
    SELECT c.relname::text,
           substring(b.bounds FROM $r$FROM \('([^']+)'\)$r$)::timestamptz,
           substring(b.bounds FROM $r$TO \('([^']+)'\)$r$)::timestamptz,
           b.bounds = 'DEFAULT',
           c.reltuples::bigint,
           pg_total_relation_size(c.oid)
    FROM pg_catalog.pg_inherits i
    JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
    CROSS JOIN LATERAL (SELECT pg_get_expr(c.relpartbound, c.oid) AS bounds) b
    WHERE i.inhparent = 'signals'::regclass
    ORDER BY 2 NULLS LAST, 1
$$;
-- +goose StatementEnd

-- Drops the partitions whose whole range lies before the given moment, and returns
-- their names. DROP takes ACCESS EXCLUSIVE on signals for a moment; lock_timeout
-- bounds how long inserts queue behind it, and the caller tries again.
-- +goose StatementBegin
CREATE FUNCTION signals_partition_drop(before timestamptz) RETURNS SETOF text
    LANGUAGE plpgsql
    SECURITY DEFINER
    SET search_path FROM CURRENT
    SET lock_timeout = '2s'
AS $$
DECLARE
    partition text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('hal9.signals_partition', 0));
    FOR partition IN
        SELECT l.partition_name FROM signals_partition_list() l
        WHERE NOT l.is_default AND l.range_end <= before
    LOOP
        EXECUTE format('DROP TABLE %I', partition);
        RETURN NEXT partition;
    END LOOP;
END
$$;
-- +goose StatementEnd

-- Functions are executable by everybody unless it is taken back. A server that
-- connects as another role than the owner is granted them by name.
REVOKE ALL ON FUNCTION signals_partition_ensure(timestamptz) FROM PUBLIC;
REVOKE ALL ON FUNCTION signals_partition_list() FROM PUBLIC;
REVOKE ALL ON FUNCTION signals_partition_drop(timestamptz) FROM PUBLIC;

-- This month and three ahead, counted in UTC: a month added in another zone may lead
-- back into the same month.
SELECT signals_partition_ensure((date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => ahead)) AT TIME ZONE 'UTC')
FROM generate_series(0, 3) AS ahead;

-- +goose Down
DROP FUNCTION signals_partition_drop(timestamptz);
DROP FUNCTION signals_partition_list();
DROP FUNCTION signals_partition_ensure(timestamptz);
DROP TABLE signals;
