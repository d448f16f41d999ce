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
    starts_at timestamptz CHECK (starts_at >= '0001-01-01 00:00:00+00' AND starts_at < '9999-01-01 00:00:00+00'),
    minutes integer NOT NULL,
    -- null without starts_at. Computed in UTC, which makes the expression immutable.
    ends_at timestamptz GENERATED ALWAYS AS (
        (starts_at AT TIME ZONE 'UTC' + minutes * interval '1 minute') AT TIME ZONE 'UTC'
    ) STORED,
    timezone text NOT NULL DEFAULT 'UTC', -- of the restaurant
    day date GENERATED ALWAYS AS ((starts_at AT TIME ZONE timezone)::date) STORED, -- in that time zone
    currency text, -- of the price
    notes text, -- from the guest
    ordered_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    erased_at timestamptz, -- since then the guest is unknown
    -- the last one received from the provider, which decides; it only moves forward
    provider_status text NOT NULL CHECK (
        provider_status IN ('waiting', 'confirmed', 'declined', 'cancelled', 'expired')
    ),
    -- the decision of staff, until the provider refuses it; their number tells the answers to two decisions apart
    decision text CHECK (decision IN ('confirm', 'decline')),
    decided_at timestamptz,
    decided_by text,
    decision_number integer NOT NULL DEFAULT 0,
    delivered boolean NOT NULL DEFAULT FALSE, -- whether the provider has accepted the decision
    refusal_reason text, -- why the provider did not accept the last decision
    staff_reason text, -- why staff declined, until the provider refuses the decision
    provider_reason text, -- why it was declined or cancelled, by what the provider last said
    decline_reason text GENERATED ALWAYS AS ( -- the one that the guest is told; of the provider, perhaps none
        CASE WHEN provider_status = 'waiting' THEN staff_reason ELSE provider_reason END
    ) STORED,
    mail_failure text, -- which email did not reach the guest, and why
    status text NOT NULL GENERATED ALWAYS AS (
        CASE
            WHEN provider_status <> 'waiting' THEN provider_status
            WHEN decision = 'confirm' THEN 'confirmed'
            WHEN decision = 'decline' THEN 'declined'
            ELSE 'waiting'
        END
    ) STORED,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(), -- when the status last changed
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(), -- when anything of the row last changed
    was_confirmed boolean NOT NULL DEFAULT FALSE, -- when it was cancelled
    PRIMARY KEY (table_id, id),
    CHECK ((decision IS NULL) = (decided_at IS NULL)),
    CHECK ((decision IS NULL) = (decided_by IS NULL)),
    CHECK (decision IS NOT NULL OR NOT delivered),
    CHECK (
        erased_at IS NULL OR coalesce(name, email, phone, notes, staff_reason, provider_reason, mail_failure) IS NULL
    )
);

CREATE INDEX front_desk_order_id ON front_desk_order (id);
CREATE INDEX front_desk_order_status ON front_desk_order (status, id);
CREATE INDEX front_desk_order_day ON front_desk_order (day, id) WHERE day IS NOT NULL;
-- For the page, which asks every few seconds whether an order has changed, and lists the waiting ones.
CREATE INDEX front_desk_order_updated ON front_desk_order (updated_at);
CREATE INDEX front_desk_order_waiting ON front_desk_order (received_at, id) WHERE status = 'waiting';
-- For the orders that hold a table, or ask for it, at a time.
CREATE INDEX front_desk_order_time ON front_desk_order USING gist (tstzrange(starts_at, ends_at))
WHERE status IN ('waiting', 'confirmed') AND starts_at IS NOT NULL;
-- For the page, which lists the orders settled last and the cancelled tables every few seconds.
CREATE INDEX front_desk_order_settled ON front_desk_order (changed_at, id) WHERE status <> 'waiting';
CREATE INDEX front_desk_order_freed ON front_desk_order (changed_at, id)
WHERE was_confirmed AND provider_status = 'cancelled';
-- For the page, which counts the decisions that are on their way to the provider.
CREATE INDEX front_desk_order_undelivered ON front_desk_order (id) WHERE decision IS NOT NULL AND NOT delivered;
-- For the tables that begin soon.
CREATE INDEX front_desk_order_coming ON front_desk_order (starts_at) WHERE status = 'confirmed';
