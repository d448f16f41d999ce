-- release 1
-- The tables of `common`, the same in every application. The first migration of each database.

-- The jobs: when each is due, who runs it, and how its last run ended; see common/jobs/lease.py.
CREATE TABLE job (
    name text PRIMARY KEY,
    interval_seconds double precision NOT NULL,
    owner text NOT NULL,
    epoch bigint NOT NULL,
    expires_at timestamptz, -- null: no replica holds the lease
    due_at timestamptz NOT NULL,
    last_started timestamptz,
    last_finished timestamptz,
    last_outcome text CHECK (last_outcome IN ('ok', 'failed')),
    last_error text,
    last_result jsonb NOT NULL DEFAULT '{}',
    failures integer NOT NULL DEFAULT 0 -- in a row
);

-- The responses to requests with an Idempotency-Key; see common/web/idempotency.py.
CREATE TABLE idempotency_key (
    scope text NOT NULL,
    key text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    fingerprint bytea NOT NULL, -- of the request
    answer bytea, -- null only inside the transaction that inserts the row
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, key)
);

CREATE INDEX idempotency_key_created_at ON idempotency_key (created_at);

-- Messages to send; see common/outbox/delivery.py.
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY, -- the order of insertion; the distribution column is the subject
    topic text NOT NULL,
    subject text NOT NULL,
    event text NOT NULL,
    payload jsonb NOT NULL,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'dead')),
    attempts integer NOT NULL DEFAULT 0,
    rejections integer NOT NULL DEFAULT 0, -- those of the attempts that no repetition helps
    due_at timestamptz NOT NULL DEFAULT clock_timestamp(), -- while a sender has claimed it: the end of the claim
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    sent_at timestamptz, -- from then on it is not sent again, even if its outcome could not be stored yet
    outcome jsonb, -- what the receiver answered, until it is stored
    settled_at timestamptz, -- when it was sent and its outcome stored, or when it became dead
    last_error text,
    PRIMARY KEY (subject, topic, event),
    CHECK ((state = 'waiting') = (settled_at IS NULL)),
    CHECK (state <> 'sent' OR sent_at IS NOT NULL)
);

CREATE INDEX outbox_due ON outbox (topic, due_at) WHERE state = 'waiting';
CREATE INDEX outbox_state ON outbox (state, id);
CREATE INDEX outbox_sent ON outbox (settled_at) WHERE state = 'sent';

-- Signatures accepted lately, as hashes, so that none is accepted twice; see common/web/signature.py.
CREATE TABLE used_signature (
    signature_hash bytea PRIMARY KEY,
    used_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX used_signature_used_at ON used_signature (used_at);

-- Failed logins and wrong bearer tokens; see common/web/login_throttle.py.
CREATE TABLE failed_login (
    login_key text NOT NULL,
    address text NOT NULL,
    failures integer NOT NULL, -- in a row
    failed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    slowed_until timestamptz,
    PRIMARY KEY (login_key, address)
);

CREATE INDEX failed_login_failed_at ON failed_login (failed_at);

-- The sessions of people on pages that ask for a token, by a keyed hash of their own tokens; see
-- common/web/page_session.py.
CREATE TABLE page_session (
    token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    realm text NOT NULL, -- the right that the token gave
    expires_at timestamptz NOT NULL
);

-- Token buckets of the rate limits; see common/web/rate_limit.py.
CREATE TABLE rate_limit (
    key bytea NOT NULL, -- SHA-256 of the caller, or of the recipient of a message
    policy text NOT NULL,
    full_at timestamptz NOT NULL, -- when the bucket is full again; until then every token taken moves it ahead
    PRIMARY KEY (key, policy)
);

CREATE INDEX rate_limit_full_at ON rate_limit (full_at);

-- Whether the rows of a table are spread over the nodes of a Citus cluster; see common/db/distribution.py.
CREATE FUNCTION is_distributed(of_table text) RETURNS boolean
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    IF to_regclass('pg_catalog.pg_dist_partition') IS NULL THEN
        RETURN false;
    END IF;
    RETURN EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = of_table::regclass AND partmethod = 'h');
END
$$;

-- The workers of a Citus cluster, and whether each can be reached; none on one node. See common/web/health.py.
CREATE FUNCTION cluster_workers() RETURNS TABLE (worker text, is_reachable boolean)
LANGUAGE plpgsql
AS $$
BEGIN
    IF to_regclass('pg_catalog.pg_dist_node') IS NOT NULL THEN
        RETURN QUERY
        SELECT nodename || ':' || nodeport, citus_check_connection_to_node(nodename, nodeport)
          FROM pg_dist_node
         WHERE isactive
           AND groupid <> 0
         ORDER BY nodename, nodeport;
    END IF;
END
$$;

-- About how many rows each table has, by PostgreSQL's statistics; on a Citus cluster, the sum of its parts.
CREATE FUNCTION row_counts() RETURNS TABLE (table_name text, number_of_rows bigint)
LANGUAGE plpgsql
AS $$
BEGIN
    IF to_regclass('pg_catalog.pg_dist_node') IS NULL THEN
        RETURN QUERY
        SELECT relname::text, n_live_tup FROM pg_stat_user_tables WHERE schemaname = current_schema();
        RETURN;
    END IF;
    RETURN QUERY
    SELECT relname::text, coalesce(in_parts.rows, n_live_tup)
      FROM pg_stat_user_tables
      LEFT JOIN (
          SELECT logicalrelid, sum(part.rows::bigint)::bigint AS rows
            FROM run_command_on_workers($command$
                     SELECT json_object_agg(shardid, n_live_tup)
                       FROM pg_dist_shard
                       JOIN pg_stat_user_tables
                         ON pg_stat_user_tables.relid = to_regclass(shard_name(logicalrelid, shardid))
                 $command$) AS answer
           CROSS JOIN json_each_text(answer.result::json) AS part (shard, rows)
            JOIN pg_dist_shard ON pg_dist_shard.shardid = part.shard::bigint
            JOIN pg_dist_partition USING (logicalrelid)
           WHERE answer.success
             AND partmethod = 'h'
           GROUP BY logicalrelid
      ) AS in_parts ON in_parts.logicalrelid = relid
     WHERE schemaname = current_schema()
       AND relation_is_a_known_shard(relid) IS NOT TRUE;
END
$$;

-- The bytes that each table takes, with its indexes and long values; on a Citus cluster, on all nodes together.
CREATE FUNCTION table_sizes() RETURNS TABLE (table_name text, number_of_bytes bigint)
LANGUAGE plpgsql
AS $$
BEGIN
    IF to_regclass('pg_catalog.pg_dist_partition') IS NULL THEN
        RETURN QUERY
        SELECT relname::text, pg_total_relation_size(relid)
          FROM pg_stat_user_tables
         WHERE schemaname = current_schema();
        RETURN;
    END IF;
    RETURN QUERY
    SELECT relname::text,
           CASE WHEN logicalrelid IS NULL THEN pg_total_relation_size(relid)
                ELSE citus_total_relation_size(logicalrelid, fail_on_error => false)
           END
      FROM pg_stat_user_tables
      LEFT JOIN pg_dist_partition ON logicalrelid = relid
     WHERE schemaname = current_schema()
       AND relation_is_a_known_shard(relid) IS NOT TRUE;
END
$$;
