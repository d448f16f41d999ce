-- release 1
-- Restaurant tables and their bookings.

CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE dining_table (
    table_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    table_type text NOT NULL CHECK (table_type IN ('regular', 'cabin', 'room')),
    seats integer NOT NULL CHECK (seats BETWEEN 1 AND 100),
    price numeric(7, 2) NOT NULL CHECK (price BETWEEN 0 AND 99999.99),
    can_be_booked boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- The prices of a table, each from `valid_from` on. A trigger writes them, so that no change of a price is missing.
CREATE TABLE dining_table_price (
    table_id bigint NOT NULL REFERENCES dining_table,
    number bigint GENERATED ALWAYS AS IDENTITY,
    price numeric(7, 2) NOT NULL,
    valid_from timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (table_id, number)
);

CREATE TABLE dining_booking (
    table_id bigint NOT NULL REFERENCES dining_table,
    id bigint GENERATED ALWAYS AS IDENTITY,
    status text NOT NULL CHECK (status IN ('waiting', 'confirmed', 'declined', 'cancelled', 'expired')),
    email text CHECK (length(email) <= 254),
    phone text CHECK (phone ~ '^\+[0-9]{4,15}$'), -- E.164
    name text CHECK (length(name) BETWEEN 1 AND 100),
    guests integer CHECK (guests BETWEEN 1 AND 100),
    starts_at timestamptz CHECK (starts_at >= '0001-01-01 00:00:00+00' AND starts_at < '9999-01-01 00:00:00+00'),
    minutes integer NOT NULL CHECK (minutes BETWEEN 1 AND 1440),
    -- null without starts_at: an order for the next visit. Computed in UTC, which makes the expression immutable.
    ends_at timestamptz GENERATED ALWAYS AS (
        (starts_at AT TIME ZONE 'UTC' + minutes * interval '1 minute') AT TIME ZONE 'UTC'
    ) STORED,
    price numeric(7, 2) NOT NULL, -- as shown to the guest
    notes text CHECK (length(notes) BETWEEN 1 AND 500), -- from the guest
    reason text CHECK (length(reason) BETWEEN 1 AND 500), -- why it was declined or cancelled, as the guest was told
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_by text NOT NULL,
    erased_at timestamptz, -- since then the guest is unknown
    PRIMARY KEY (table_id, id),
    CONSTRAINT dining_booking_reachable CHECK (email IS NOT NULL OR phone IS NOT NULL OR erased_at IS NOT NULL),
    CONSTRAINT dining_booking_erased CHECK (erased_at IS NULL OR coalesce(email, phone, name, notes, reason) IS NULL),
    CONSTRAINT dining_booking_overlap EXCLUDE USING gist (
        table_id WITH =, tstzrange(starts_at, ends_at) WITH &&
    ) WHERE (status = 'confirmed' AND starts_at IS NOT NULL)
);

-- Staff and the accounting program look for a booking by its id alone.
CREATE INDEX dining_booking_id ON dining_booking (id);
CREATE INDEX dining_booking_active ON dining_booking (id) WHERE status IN ('waiting', 'confirmed');
-- For the orders that nobody has decided before their end, and for the guests to be erased.
CREATE INDEX dining_booking_waiting_end ON dining_booking (ends_at) WHERE status = 'waiting';
CREATE INDEX dining_booking_guest_age ON dining_booking (greatest(ends_at, changed_at)) WHERE erased_at IS NULL;
-- For the list of staff, by time; orders for the next visit come last.
CREATE INDEX dining_booking_start ON dining_booking (coalesce(starts_at, 'infinity'::timestamptz), id);
CREATE INDEX dining_booking_email ON dining_booking (lower(email)) WHERE email IS NOT NULL;
CREATE INDEX dining_booking_phone ON dining_booking (phone) WHERE phone IS NOT NULL;

-- Every status of a booking, its time and its actor. A trigger writes them.
CREATE TABLE dining_booking_status_change (
    table_id bigint NOT NULL,
    booking_id bigint NOT NULL,
    status text NOT NULL,
    changed_at timestamptz NOT NULL,
    changed_by text NOT NULL,
    PRIMARY KEY (table_id, booking_id, status), -- no booking has a status twice
    FOREIGN KEY (table_id, booking_id) REFERENCES dining_booking (table_id, id)
);

-- The tokens of the cancel buttons, as SHA-256. Each mail has its own, which stands only in the mail. A request brings
-- the token alone. A hash of 256 bits is unique without a constraint, which would need table_id.
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

-- The hours in which guests may order tables, in minutes since the local midnight of the day (0: Monday) on which they
-- open; they may close on the next day. Without rows the restaurant is always open.
CREATE TABLE dining_opening_hours (
    day smallint NOT NULL CHECK (day BETWEEN 0 AND 6),
    opens_minute smallint NOT NULL CHECK (opens_minute BETWEEN 0 AND 1439),
    closes_minute smallint NOT NULL,
    PRIMARY KEY (day, opens_minute),
    CHECK (closes_minute > opens_minute AND closes_minute <= opens_minute + 1440)
);

-- Refresh tokens that were revoked, by their `jti`, until they would have expired.
CREATE TABLE dining_revoked_token (
    token_id text PRIMARY KEY CHECK (length(token_id) BETWEEN 1 AND 64),
    expires_at timestamptz NOT NULL
);

CREATE INDEX dining_revoked_token_expires_at ON dining_revoked_token (expires_at);

-- The inbox of the demo: mails received by its own SMTP server. Empty everywhere else.
CREATE TABLE demo_mail (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at timestamptz NOT NULL DEFAULT now(),
    sender text NOT NULL,
    recipients text [] NOT NULL,
    source bytea NOT NULL
);
