-- release 1
-- The booking events read from the feeds, and their totals.

-- The ledger: every event once. The counters below are its totals at every moment: one transaction writes both. Two
-- feeds may use one id for different events. The number stands for the name of the feed, which would make this table
-- larger; a foreign key to feed_progress would cost time for each event.
CREATE TABLE ledger_event (
    id bigint NOT NULL CHECK (id > 0),
    hotel_id bigint NOT NULL CHECK (hotel_id > 0),
    event_timestamp timestamptz NOT NULL,
    night_of_stay date NOT NULL,
    status smallint NOT NULL CHECK (status IN (1, 2)), -- 1 = booking, 2 = cancellation
    feed_number smallint NOT NULL, -- of feed_progress
    room_id text NOT NULL,
    PRIMARY KEY (feed_number, id)
);

-- The night audit compares ranges of time with the feed. Events arrive almost in the order of their time, so the ranges
-- of blocks are narrow, and unlike a B-tree this index costs the ingestion next to nothing.
CREATE INDEX ledger_event_time ON ledger_event USING brin (event_timestamp) WITH (autosummarize = on);

-- What people say about a hotel, also before its first event.
CREATE TABLE hotel_profile (
    hotel_id bigint PRIMARY KEY CHECK (hotel_id > 0),
    name text,
    rooms integer CHECK (rooms > 0),
    timezone text COLLATE "C",
    hidden boolean NOT NULL
);

CREATE TABLE hotel_summary (
    hotel_id bigint PRIMARY KEY,
    timezone text COLLATE "C" NOT NULL, -- by it the dates of the hotel's events in all counters are reckoned
    events bigint NOT NULL,
    first_night date NOT NULL,
    last_night date NOT NULL,
    last_event_timestamp timestamptz NOT NULL,
    first_event_date date NOT NULL,
    last_event_date date NOT NULL -- not always that of the latest event: clocks may be set back over midnight
);

-- Events per night and per date of the event, in the time zone of the hotel: from these the view of any past day is
-- computed. No foreign key to hotel_summary, here and in day_counter: the checks took 6 to 29 % of the time of the
-- ingestion. One statement writes the three tables, and the night audit compares them with the ledger.
CREATE TABLE night_counter (
    hotel_id bigint NOT NULL,
    night_of_stay date NOT NULL,
    event_date date NOT NULL,
    bookings integer NOT NULL CHECK (bookings >= 0),
    cancellations integer NOT NULL CHECK (cancellations >= 0),
    PRIMARY KEY (hotel_id, night_of_stay, event_date)
);

-- The same totals per day: by the night of the stay, and by the date of the event.
CREATE TABLE day_counter (
    hotel_id bigint NOT NULL,
    by_event_date boolean NOT NULL,
    day date NOT NULL,
    bookings integer NOT NULL CHECK (bookings >= 0),
    cancellations integer NOT NULL CHECK (cancellations >= 0),
    PRIMARY KEY (hotel_id, by_event_date, day) INCLUDE (bookings, cancellations)
) WITH (fillfactor = 80);

-- How far each feed has been read. A feed that is no longer configured keeps its row, and its events stay counted.
CREATE TABLE feed_progress (
    feed text COLLATE "C" PRIMARY KEY CHECK (feed ~ '^[a-z][a-z0-9_-]{0,31}$'),
    feed_number smallint GENERATED ALWAYS AS IDENTITY UNIQUE,
    watermark timestamptz,        -- newest event_timestamp read in order, never past now
    recorded_through timestamptz, -- by the provider's clock: every event stored before it has been read
    data_through timestamptz,     -- the instant whose feed the counters show
    window_seconds double precision NOT NULL DEFAULT 86400, -- of a feed that has to be read in windows of time
    audited_through timestamptz,  -- where a night audit that has not ended continues
    audit_started_at timestamptz, -- when that audit began
    past_events bigint NOT NULL DEFAULT 0, -- counted by the first reading of the feed
    about_events bigint,          -- about how many events the feed said it had then
    first_read_at timestamptz,    -- when the first reading reached the end of the feed
    wait_until timestamptz        -- the feed asked not to be called before
);

INSERT INTO feed_progress (feed) VALUES ('main');

-- Instants of which a feed may have more events than it sent, until a night audit finds them complete.
CREATE TABLE feed_cut_off (
    feed text COLLATE "C" NOT NULL,
    event_timestamp timestamptz NOT NULL,
    reason text NOT NULL,
    first_seen timestamptz NOT NULL,
    last_seen timestamptz NOT NULL,
    PRIMARY KEY (feed, event_timestamp)
);

-- Counted events that their feed no longer has, or has changed. The night audit finds them; only the command
-- `audit --feed --apply` corrects the ledger, and keeps the reason.
CREATE TABLE feed_difference (
    feed text COLLATE "C" NOT NULL,
    event_id bigint NOT NULL,
    kind text NOT NULL CHECK (kind IN ('missing', 'changed')),
    counted text NOT NULL, -- JSON of the event as it was counted
    found text,            -- JSON of the event as the feed has it now
    first_found timestamptz NOT NULL,
    last_found timestamptz NOT NULL,
    applied_at timestamptz,
    reason text,
    PRIMARY KEY (first_found, feed, event_id),
    CHECK ((kind = 'changed') = (found IS NOT NULL)),
    CHECK ((applied_at IS NULL) = (reason IS NULL))
);

CREATE UNIQUE INDEX feed_difference_open ON feed_difference (feed, event_id) WHERE applied_at IS NULL;

-- Values of a feed that are not a valid event.
CREATE TABLE quarantined_event (
    feed text COLLATE "C" NOT NULL,
    fingerprint bytea NOT NULL,
    reason text NOT NULL,
    raw text NOT NULL,
    first_seen timestamptz NOT NULL DEFAULT now(),
    last_seen timestamptz NOT NULL DEFAULT now(),
    times bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (feed, fingerprint)
);

CREATE INDEX quarantined_event_first_seen ON quarantined_event (first_seen, feed, fingerprint);
