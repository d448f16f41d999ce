-- Booking events as the feed told them, and what they add up to.

-- The ledger: every event once. The counters below are what it adds up to, always: both change in one transaction.
CREATE TABLE ledger_event (
    id bigint PRIMARY KEY CHECK (id > 0),
    hotel_id bigint NOT NULL CHECK (hotel_id > 0),
    event_timestamp timestamptz NOT NULL,
    night_of_stay date NOT NULL,
    status smallint NOT NULL CHECK (status IN (1, 2)), -- 1 = booking, 2 = cancellation
    room_id text NOT NULL
);

CREATE INDEX ledger_event_timestamp ON ledger_event USING brin (event_timestamp) WITH (pages_per_range = 32);

CREATE TABLE hotel_summary (
    hotel_id bigint PRIMARY KEY,
    events bigint NOT NULL,
    first_night date NOT NULL,
    last_night date NOT NULL,
    last_event_timestamp timestamptz NOT NULL
);

-- What any past day's view is computed from: per night, by the date (UTC) on which it was booked or cancelled.
CREATE TABLE night_counter (
    hotel_id bigint NOT NULL,
    night_of_stay date NOT NULL,
    event_date date NOT NULL,
    bookings integer NOT NULL CHECK (bookings >= 0),
    cancellations integer NOT NULL CHECK (cancellations >= 0),
    PRIMARY KEY (hotel_id, night_of_stay, event_date)
);

-- The same, added up per day: by the night slept, and by the date of the event.
CREATE TABLE day_counter (
    hotel_id bigint NOT NULL,
    by_event_date boolean NOT NULL,
    day date NOT NULL,
    bookings integer NOT NULL CHECK (bookings >= 0),
    cancellations integer NOT NULL CHECK (cancellations >= 0),
    PRIMARY KEY (hotel_id, by_event_date, day) INCLUDE (bookings, cancellations)
) WITH (fillfactor = 80);

-- How far the feed has been read; one row.
CREATE TABLE feed_progress (
    feed text PRIMARY KEY CHECK (feed = 'booking_events'),
    watermark timestamptz,        -- newest event_timestamp read in order, never past now
    recorded_through timestamptz, -- the provider's clock: everything that it stored before has been read
    data_through timestamptz,     -- the moment whose feed the counters show
    window_seconds double precision NOT NULL DEFAULT 86400, -- of a feed that has to be walked in windows
    audited_through timestamptz   -- where the night audit under way goes on
);

INSERT INTO feed_progress (feed) VALUES ('booking_events');

-- What the feed sent that is no event, or is another event than the one counted under its id.
CREATE TABLE quarantined_event (
    fingerprint bytea PRIMARY KEY,
    reason text NOT NULL,
    raw text NOT NULL,
    first_seen timestamptz NOT NULL DEFAULT now(),
    last_seen timestamptz NOT NULL DEFAULT now(),
    times bigint NOT NULL DEFAULT 1
);

CREATE INDEX quarantined_event_first_seen ON quarantined_event (first_seen, fingerprint);
