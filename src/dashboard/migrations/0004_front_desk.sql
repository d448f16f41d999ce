-- The accounting program: orders for tables, what staff decided, and the messages that take it back.

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
    -- as the provider told it last; it only moves forward
    provider_status text NOT NULL CHECK (provider_status IN ('waiting', 'confirmed', 'declined', 'cancelled')),
    -- what staff decided here, and what the provider made of it
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
-- For the page, which shows again and again those settled last.
CREATE INDEX front_desk_order_settled
ON front_desk_order ((coalesce(decided_at, received_at)), id) WHERE status <> 'waiting';

-- Staff who are logged in to the page; the session's token as SHA-256.
CREATE TABLE front_desk_session (
    token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    expires_at timestamptz NOT NULL
);

-- Messages on their way out; see common/outbox.py.
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY, -- the order of writing; the subject is what shards
    topic text NOT NULL,
    subject text NOT NULL,
    event text NOT NULL,
    payload jsonb NOT NULL,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'dead')),
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT clock_timestamp(), -- while a sender has it: when its claim ends
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    settled_at timestamptz,
    last_error text,
    PRIMARY KEY (subject, topic, event),
    CHECK ((state = 'waiting') = (settled_at IS NULL))
);

CREATE INDEX outbox_due ON outbox (topic, due_at) WHERE state = 'waiting';
CREATE INDEX outbox_state ON outbox (state, id);

-- Signatures that were accepted lately, by their hash; see common/signature.py.
CREATE TABLE used_signature (
    signature_hash bytea PRIMARY KEY,
    used_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX used_signature_used_at ON used_signature (used_at);

-- Failed logins, from where; see common/login_pace.py.
CREATE TABLE failed_login (
    login_key text NOT NULL,
    address text NOT NULL,
    failures integer NOT NULL,
    failed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    slowed_until timestamptz,
    PRIMARY KEY (login_key, address)
);
