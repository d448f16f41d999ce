-- release 1
-- The accounting program: orders for tables, and the decisions of staff.

CREATE TABLE front_desk_order (
    table_id bigint NOT NULL,
    id bigint NOT NULL, -- the provider's
    callback_url text NOT NULL,
    table_type text NOT NULL,
    seats integer NOT NULL,
    price numeric(7, 2) NOT NULL,
    name text,
    email text,
    phone text,
    guests integer,
    starts_at timestamptz,
    minutes integer NOT NULL,
    ordered_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- the last one received from the provider; it only moves forward
    provider_status text NOT NULL CHECK (provider_status IN ('waiting', 'confirmed', 'declined', 'cancelled')),
    -- the decision of staff, and the provider's response to it
    decision text CHECK (decision IN ('confirm', 'decline')),
    decided_at timestamptz,
    decided_by text,
    outcome text CHECK (outcome IN ('accepted', 'refused')),
    reason text,
    status text NOT NULL GENERATED ALWAYS AS (
        CASE
            WHEN outcome = 'refused' THEN 'refused'
            WHEN provider_status <> 'waiting' THEN provider_status
            WHEN decision = 'confirm' THEN 'confirmed'
            WHEN decision = 'decline' THEN 'declined'
            ELSE 'waiting'
        END
    ) STORED,
    PRIMARY KEY (table_id, id),
    CHECK ((decision IS NULL) = (decided_at IS NULL)),
    CHECK ((decision IS NULL) = (decided_by IS NULL)),
    CHECK (outcome IS NULL OR decision IS NOT NULL),
    CHECK ((outcome IS NOT DISTINCT FROM 'refused') = (reason IS NOT NULL))
);

CREATE INDEX front_desk_order_id ON front_desk_order (id);
CREATE INDEX front_desk_order_status ON front_desk_order (status, id);
-- For the page, which lists the orders settled last every few seconds.
CREATE INDEX front_desk_order_settled
ON front_desk_order ((coalesce(decided_at, received_at)), id) WHERE status <> 'waiting';

-- The sessions of staff on the page, by the SHA-256 of their tokens.
CREATE TABLE front_desk_session (
    token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    expires_at timestamptz NOT NULL
);
