-- What every application of ours keeps for itself: who runs which job, and which POST was already done.

CREATE TABLE job (
    name text PRIMARY KEY,
    interval_seconds double precision NOT NULL,
    owner text NOT NULL,
    epoch bigint NOT NULL,
    expires_at timestamptz, -- null: nobody holds it
    due_at timestamptz NOT NULL,
    last_started timestamptz,
    last_finished timestamptz,
    last_outcome text CHECK (last_outcome IN ('ok', 'failed')),
    last_error text,
    last_result jsonb NOT NULL DEFAULT '{}',
    failures integer NOT NULL DEFAULT 0
);

CREATE TABLE idempotency_key (
    scope text NOT NULL,
    key text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    fingerprint bytea NOT NULL,
    answer bytea, -- null only inside the transaction that creates
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, key)
);

CREATE INDEX idempotency_key_created_at ON idempotency_key (created_at);
