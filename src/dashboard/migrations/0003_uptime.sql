-- release 1
-- Uptime: when stores were online within their business hours. The rules are in functions/uptime.sql.

CREATE TABLE store (
    -- ids are opaque: compared and ordered byte by byte, never as numbers
    store_id text COLLATE "C" PRIMARY KEY CHECK (length(store_id) BETWEEN 1 AND 100),
    timezone text COLLATE "C", -- null: no file names one, so America/Chicago
    first_polled_at timestamptz,
    last_polled_at timestamptz,
    polls_since timestamptz, -- the polls before it were deleted, and store_day has the figures; null: none were
    down_before boolean NOT NULL DEFAULT FALSE, -- the store was down at the end of the open time before polls_since
    store_group text COLLATE "C" CHECK (length(store_group) BETWEEN 1 AND 100), -- by which people choose stores
    days_until timestamptz, -- store_recent_day has the figures from polls_since up to here; null: of no day
    days_made_on date, -- the current local day when these figures were made; null: they must be made
    days_change_until timestamptz, -- polls from days_until up to here can change these figures; null: none can
    CHECK (first_polled_at <= last_polled_at),
    CHECK ((first_polled_at IS NULL) = (last_polled_at IS NULL))
);

-- One row for a store and an instant; where polls of one instant disagree, inactive wins. No foreign key to store, here
-- and in store_hours: a check for each of millions of rows would double the time of an import, and the one statement
-- that inserts here inserts into store as well.
CREATE TABLE store_poll (
    store_id text COLLATE "C" NOT NULL,
    polled_at timestamptz NOT NULL,
    active boolean NOT NULL
) WITH (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

-- The only definition of the primary key: a large import drops it and calls this function to build it again. It is not
-- in functions/, since a new definition needs a migration that builds the key anew. The key includes the status, so
-- that a report reads the index alone.
CREATE FUNCTION add_store_poll_key() RETURNS void
LANGUAGE sql
AS $$
    ALTER TABLE store_poll ADD CONSTRAINT store_poll_pkey PRIMARY KEY (store_id, polled_at) INCLUDE (active);
$$;

SELECT add_store_poll_key();

-- The five minutes in which any store was polled, with the first and the last of these polls: the gaps of the poller
-- are between them. Rows stay when the polls are deleted.
CREATE TABLE poll_span (
    span_start timestamptz PRIMARY KEY CHECK (span_start = date_bin('5 minutes', span_start, '2000-01-01 00:00:00+00')),
    first_polled_at timestamptz NOT NULL,
    last_polled_at timestamptz NOT NULL,
    CHECK (span_start <= first_polled_at),
    CHECK (first_polled_at <= last_polled_at),
    CHECK (last_polled_at < span_start + interval '5 minutes')
);

-- The figures of a store for the local days before `polls_since`. They no longer change with its hours or time zone.
CREATE TABLE store_day (
    store_id text COLLATE "C" NOT NULL,
    day date NOT NULL,
    open_time interval NOT NULL,
    uptime interval NOT NULL,
    observed_time interval NOT NULL, -- the part of the open time that a poll covers
    observed_uptime interval NOT NULL, -- the part of the uptime that a poll covers
    incidents integer NOT NULL CHECK (incidents >= 0), -- those that began on this day
    PRIMARY KEY (store_id, day),
    CHECK (open_time >= uptime AND uptime >= interval '0'),
    CHECK (open_time >= observed_time AND observed_time >= interval '0'),
    CHECK (least(uptime, observed_time) >= observed_uptime AND observed_uptime >= interval '0')
);

-- The figures of a store for the local days from `polls_since` to `days_until`, so that months are added up and not
-- computed. Whatever changes a day deletes its row; a job makes it again.
CREATE TABLE store_recent_day (
    store_id text COLLATE "C" NOT NULL,
    day date NOT NULL,
    open_time interval NOT NULL,
    uptime interval NOT NULL,
    observed_time interval NOT NULL,
    observed_uptime interval NOT NULL,
    incidents integer NOT NULL CHECK (incidents >= 0),
    PRIMARY KEY (store_id, day),
    CHECK (open_time >= uptime AND uptime >= interval '0'),
    CHECK (open_time >= observed_time AND observed_time >= interval '0'),
    CHECK (least(uptime, observed_time) >= observed_uptime AND observed_uptime >= interval '0')
);

-- As in the file, in local wall clock; a store without any row is always open. A row holds on the local days
-- [valid_from, valid_until).
CREATE TABLE store_hours (
    store_id text COLLATE "C" NOT NULL,
    weekday smallint NOT NULL CHECK (weekday BETWEEN 0 AND 6), -- 0 = Monday
    opens time NOT NULL CHECK (opens < time '24:00'),
    closes time NOT NULL,
    valid_from date NOT NULL DEFAULT '-infinity',
    valid_until date NOT NULL DEFAULT 'infinity',
    PRIMARY KEY (store_id, valid_from, weekday, opens, closes),
    CHECK (valid_from < valid_until)
);

-- Holidays and maintenance, which are not open time: whole local days, the last one included, or instants
-- [starts_at, ends_at).
CREATE TABLE store_closure (
    store_id text COLLATE "C" NOT NULL,
    position integer NOT NULL,
    first_day date,
    last_day date,
    starts_at timestamptz,
    ends_at timestamptz,
    reason text NOT NULL,
    PRIMARY KEY (store_id, position),
    CHECK ((first_day IS NULL) <> (starts_at IS NULL)),
    CHECK ((first_day IS NULL) = (last_day IS NULL)),
    CHECK ((starts_at IS NULL) = (ends_at IS NULL)),
    CHECK (first_day <= last_day),
    CHECK (starts_at < ends_at)
);

-- The polls of [deleted_from, deleted_until) were deleted by hand; pulls do not bring them back.
CREATE TABLE store_poll_deletion (
    store_id text COLLATE "C" NOT NULL,
    deleted_from timestamptz NOT NULL,
    deleted_until timestamptz NOT NULL,
    PRIMARY KEY (store_id, deleted_from, deleted_until),
    CHECK (deleted_from < deleted_until)
);

-- Imports, and what people change by hand, are stored one after the other under a lock, so their ids grow in the order
-- of their commits: the highest one that changed anything is the version of the data.
CREATE TABLE store_import (
    import_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (
        kind IN ('status', 'business-hours', 'timezones', 'closures', 'group', 'deleted-polls')
    ),
    source text NOT NULL, -- the file, or the store that was changed
    made_by text NOT NULL, -- the user of a command, the caller of a request, or the job
    rows bigint NOT NULL CHECK (rows >= 0),
    new bigint NOT NULL CHECK (new >= 0),
    changed boolean NOT NULL,
    rejected_total bigint NOT NULL CHECK (rejected_total >= 0),
    rejected jsonb NOT NULL,
    notices text [] NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX store_day_day ON store_day (day);

CREATE INDEX store_recent_day_day ON store_recent_day (day);

CREATE INDEX store_import_changed ON store_import (import_id) WHERE changed;

-- The last pull of each file of the source, so that an unchanged file is not read again.
CREATE TABLE store_file_pull (
    kind text NOT NULL CHECK (kind IN ('status', 'business-hours', 'timezones')),
    url text NOT NULL, -- or the path of a file
    since timestamptz, -- null: the whole file was requested
    etag text, -- null: the source sends none
    pulled_at timestamptz NOT NULL,
    PRIMARY KEY (kind, url)
);

CREATE TABLE uptime_report (
    report_id uuid PRIMARY KEY,
    requested_as_of timestamptz, -- null: the newest poll
    requested_version bigint NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    for_lists boolean NOT NULL, -- requested by the lists of stores, which replace it
    store_ids text [], -- only these stores; null: all, or those of the group
    store_group text, -- only the stores of this group
    selection text NOT NULL DEFAULT '', -- tells reports of different stores apart; empty: all stores
    status text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'complete', 'failed')),
    as_of timestamptz,
    known_until timestamptz, -- polls after it are not in the report; as_of, or earlier if that was still to come
    data_version bigint,
    stores integer,
    reason text,
    finished_at timestamptz,
    with_details boolean NOT NULL DEFAULT FALSE, -- requested with what full columns need
    detailed_at timestamptz, -- when uptime_report_detail was filled; null: nobody has asked for it
    CHECK ((status = 'running') = (finished_at IS NULL)),
    CHECK (status <> 'complete' OR (data_version IS NOT NULL AND stores IS NOT NULL)),
    CHECK ((status = 'failed') = (reason IS NOT NULL))
);

-- Two requests for the same report while it is being made are one.
CREATE UNIQUE INDEX uptime_report_running
ON uptime_report (
    requested_version, (coalesce(requested_as_of, '-infinity'::timestamptz)), for_lists, selection, with_details
)
WHERE status = 'running';

CREATE INDEX uptime_report_requested_at ON uptime_report (requested_at, report_id);

-- How far a report is. In a table of its own, since the transaction that makes the report sees one snapshot and could
-- not change a row that others have changed since.
CREATE TABLE uptime_report_progress (
    report_id uuid PRIMARY KEY REFERENCES uptime_report ON DELETE CASCADE,
    attempts integer NOT NULL CHECK (attempts > 0),
    stores_done integer NOT NULL DEFAULT 0 CHECK (stores_done >= 0),
    stores integer -- null: not counted yet
);

-- Exact; readers round.
CREATE TABLE uptime_report_row (
    report_id uuid NOT NULL REFERENCES uptime_report ON DELETE CASCADE,
    store_id text COLLATE "C" NOT NULL,
    uptime_last_hour interval NOT NULL,
    uptime_last_day interval NOT NULL,
    uptime_last_week interval NOT NULL,
    downtime_last_hour interval NOT NULL,
    downtime_last_day interval NOT NULL,
    downtime_last_week interval NOT NULL,
    observed_until timestamptz, -- the last moment of open time in the week that a poll covers; null: none does
    PRIMARY KEY (report_id, store_id)
);

-- What a report with full columns has beside its rows: made with them, or when it is first asked for while the data is
-- the same.
CREATE TABLE uptime_report_detail (
    report_id uuid NOT NULL REFERENCES uptime_report ON DELETE CASCADE,
    store_id text COLLATE "C" NOT NULL,
    timezone text, -- null: the default
    store_group text,
    state text NOT NULL,
    coverage_last_hour numeric, -- the share of open time that a poll covers; null: the store was not open
    coverage_last_day numeric,
    coverage_last_week numeric,
    PRIMARY KEY (report_id, store_id)
);
