-- Restaurant tables, the orders for them, and the messages that tell of both.

CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE dining_table (
    table_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    table_type text NOT NULL CHECK (table_type IN ('regular', 'cabin', 'room')),
    seats integer NOT NULL CHECK (seats BETWEEN 1 AND 100),
    price numeric(7, 2) NOT NULL CHECK (price BETWEEN 0 AND 99999.99),
    can_be_booked boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- What a table cost, from when on. Written by the trigger alone, so that no change of a price goes without it.
CREATE TABLE dining_table_price (
    table_id bigint NOT NULL REFERENCES dining_table,
    number bigint GENERATED ALWAYS AS IDENTITY,
    price numeric(7, 2) NOT NULL,
    valid_from timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (table_id, number)
);

CREATE FUNCTION record_dining_table_price() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO dining_table_price (table_id, price) VALUES (new.table_id, new.price);
    RETURN NULL;
END
$$;

CREATE TRIGGER dining_table_added AFTER INSERT ON dining_table
    FOR EACH ROW EXECUTE FUNCTION record_dining_table_price();
CREATE TRIGGER dining_table_price_changed AFTER UPDATE OF price ON dining_table
    FOR EACH ROW WHEN (old.price IS DISTINCT FROM new.price) EXECUTE FUNCTION record_dining_table_price();

CREATE TABLE dining_booking (
    table_id bigint NOT NULL REFERENCES dining_table,
    id bigint GENERATED ALWAYS AS IDENTITY,
    status text NOT NULL CHECK (status IN ('waiting', 'confirmed', 'declined', 'cancelled')),
    email text CHECK (length(email) <= 254),
    phone text CHECK (phone ~ '^\+[0-9]{4,15}$'), -- E.164
    name text CHECK (length(name) BETWEEN 1 AND 100),
    guests integer CHECK (guests BETWEEN 1 AND 100),
    starts_at timestamptz CHECK (starts_at >= '0001-01-01 00:00:00+00' AND starts_at < '9999-01-01 00:00:00+00'),
    minutes integer NOT NULL CHECK (minutes BETWEEN 1 AND 1440),
    -- null without starts_at: an order for the next time. Reckoned in UTC, where a day has no gap; immutable so.
    ends_at timestamptz GENERATED ALWAYS AS (
        (starts_at AT TIME ZONE 'UTC' + minutes * interval '1 minute') AT TIME ZONE 'UTC'
    ) STORED,
    price numeric(7, 2) NOT NULL, -- what was shown to the guest
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_by text NOT NULL,
    PRIMARY KEY (table_id, id),
    CONSTRAINT dining_booking_reachable CHECK (email IS NOT NULL OR phone IS NOT NULL),
    CONSTRAINT dining_booking_overlap EXCLUDE USING gist (
        table_id WITH =, tstzrange(starts_at, ends_at) WITH &&
    ) WHERE (status = 'confirmed' AND starts_at IS NOT NULL)
);

-- Staff and the accounting program name a booking by its id alone.
CREATE INDEX dining_booking_id ON dining_booking (id);
CREATE INDEX dining_booking_active ON dining_booking (id) WHERE status IN ('waiting', 'confirmed');

-- Every status that a booking has had, since when and by whom. Written by the trigger alone.
CREATE TABLE dining_booking_status_change (
    table_id bigint NOT NULL,
    booking_id bigint NOT NULL,
    status text NOT NULL,
    changed_at timestamptz NOT NULL,
    changed_by text NOT NULL,
    PRIMARY KEY (table_id, booking_id, status), -- no status comes twice
    FOREIGN KEY (table_id, booking_id) REFERENCES dining_booking (table_id, id)
);

CREATE FUNCTION check_dining_transition() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF NOT (
        (old.status = 'waiting' AND new.status IN ('confirmed', 'declined', 'cancelled'))
        OR (old.status = 'confirmed' AND new.status = 'cancelled')
    ) THEN
        RAISE EXCEPTION 'a booking that is % cannot become %', old.status, new.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'dining_booking_transition';
    END IF;
    new.changed_at := clock_timestamp();
    RETURN new;
END
$$;

CREATE TRIGGER dining_booking_transition BEFORE UPDATE ON dining_booking
    FOR EACH ROW EXECUTE FUNCTION check_dining_transition();

CREATE FUNCTION check_dining_first_status() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF new.status NOT IN ('waiting', 'confirmed') THEN
        RAISE EXCEPTION 'a booking cannot begin as %', new.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'dining_booking_transition';
    END IF;
    RETURN new;
END
$$;

CREATE TRIGGER dining_booking_first_status BEFORE INSERT ON dining_booking
    FOR EACH ROW EXECUTE FUNCTION check_dining_first_status();

CREATE FUNCTION record_dining_booking_status_change() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO dining_booking_status_change (table_id, booking_id, status, changed_at, changed_by)
    VALUES (new.table_id, new.id, new.status, new.changed_at, new.changed_by);
    RETURN NULL;
END
$$;

CREATE TRIGGER dining_booking_changed AFTER INSERT OR UPDATE ON dining_booking
    FOR EACH ROW EXECUTE FUNCTION record_dining_booking_status_change();

CREATE FUNCTION refuse_dining_rewrite() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION 'what happened to tables and bookings is never rewritten' USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER dining_table_price_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON dining_table_price
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_dining_rewrite();
CREATE TRIGGER dining_booking_status_change_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON dining_booking_status_change
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_dining_rewrite();

-- The tokens behind the cancel buttons, as SHA-256. Each mail gets its own, made when it is sent, so that the token
-- itself is written nowhere. The hash alone finds the booking; 256 random bits need no constraint to be unique, which
-- could not leave out table_id.
CREATE TABLE dining_cancel_token (
    table_id bigint NOT NULL,
    booking_id bigint NOT NULL,
    token_hash bytea NOT NULL CHECK (length(token_hash) = 32),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (table_id, booking_id, token_hash),
    FOREIGN KEY (table_id, booking_id) REFERENCES dining_booking (table_id, id)
);

CREATE INDEX dining_cancel_token_hash ON dining_cancel_token (token_hash);
CREATE INDEX dining_cancel_token_expires_at ON dining_cancel_token (expires_at);

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

-- The inbox of the demo: what its SMTP catcher took in. Empty everywhere else.
CREATE TABLE demo_mail (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at timestamptz NOT NULL DEFAULT now(),
    sender text NOT NULL,
    recipients text [] NOT NULL,
    source bytea NOT NULL
);
