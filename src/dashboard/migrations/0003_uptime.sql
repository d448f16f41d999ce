-- Uptime: when stores were online within their business hours. What the rules mean is in docs of the capability; here
-- they are written once, as functions over ranges, and every statement of the capability stands on them.

CREATE TABLE store (
    -- ids are opaque: compared and ordered byte by byte, never as numbers
    store_id text COLLATE "C" PRIMARY KEY CHECK (length(store_id) BETWEEN 1 AND 100),
    timezone text COLLATE "C", -- null: nobody said, so America/Chicago
    first_polled_at timestamptz,
    last_polled_at timestamptz,
    CHECK (first_polled_at <= last_polled_at),
    CHECK ((first_polled_at IS NULL) = (last_polled_at IS NULL))
);

-- One row for a store and an instant; where polls of one instant disagree, inactive wins. The key carries the status,
-- so that a report reads the index alone. No foreign key to store, here and below: a check for each of millions of rows
-- would double the time of a load, and the one statement that inserts here inserts there.
CREATE TABLE store_poll (
    store_id text COLLATE "C" NOT NULL,
    polled_at timestamptz NOT NULL,
    active boolean NOT NULL,
    PRIMARY KEY (store_id, polled_at) INCLUDE (active)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

-- For the silence of the collector: what came in at about the same time lies together.
CREATE INDEX store_poll_polled_at ON store_poll USING brin (polled_at) WITH (autosummarize = on);

-- As the file has them, in local wall clock; a store without any row is always open.
CREATE TABLE store_hours (
    store_id text COLLATE "C" NOT NULL,
    weekday smallint NOT NULL CHECK (weekday BETWEEN 0 AND 6), -- 0 = Monday
    opens time NOT NULL CHECK (opens < time '24:00'),
    closes time NOT NULL,
    PRIMARY KEY (store_id, weekday, opens, closes)
);

-- What came in when. Imports are stored one after the other under a lock, so their ids grow in the order of their
-- commits: the highest one that changed anything is the version of the data.
CREATE TABLE store_import (
    import_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('status', 'business-hours', 'timezones')),
    source text NOT NULL,
    rows bigint NOT NULL CHECK (rows >= 0),
    new bigint NOT NULL CHECK (new >= 0),
    changed boolean NOT NULL,
    rejected_total bigint NOT NULL CHECK (rejected_total >= 0),
    rejected jsonb NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE uptime_report (
    report_id uuid PRIMARY KEY,
    requested_as_of timestamptz, -- null: the newest poll
    requested_version bigint NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    status text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'complete', 'failed')),
    attempts integer NOT NULL DEFAULT 0,
    as_of timestamptz,
    data_version bigint,
    stores integer,
    reason text,
    finished_at timestamptz,
    CHECK ((status = 'running') = (finished_at IS NULL)),
    CHECK (status <> 'complete' OR (data_version IS NOT NULL AND stores IS NOT NULL)),
    CHECK ((status = 'failed') = (reason IS NOT NULL))
);

-- Two requests for the same thing while it is being made are one.
CREATE UNIQUE INDEX uptime_report_running
ON uptime_report (requested_version, (coalesce(requested_as_of, '-infinity'::timestamptz))) WHERE status = 'running';

CREATE INDEX uptime_report_requested_at ON uptime_report (requested_at, report_id);

-- Exact; rounding is the reader's.
CREATE TABLE uptime_report_row (
    report_id uuid NOT NULL,
    store_id text COLLATE "C" NOT NULL,
    uptime_last_hour interval NOT NULL,
    uptime_last_day interval NOT NULL,
    uptime_last_week interval NOT NULL,
    downtime_last_hour interval NOT NULL,
    downtime_last_day interval NOT NULL,
    downtime_last_week interval NOT NULL,
    PRIMARY KEY (report_id, store_id)
);

-- The instant at which a wall clock in a zone first shows a time. PostgreSQL answers an ambiguous time with its second
-- pass and a skipped one by the offset before; a closing wants just that, an opening the first pass. So: walk there
-- from three hours before, by the offset that held then; where that arrives at the time asked for, it is the first one.
CREATE FUNCTION opening_instant(wall timestamp, zone text) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE WHEN early AT TIME ZONE zone = wall THEN early ELSE late END
      FROM (
        SELECT late, late - INTERVAL '3 hours' + (wall - (late - INTERVAL '3 hours') AT TIME ZONE zone) AS early
          FROM (SELECT wall AT TIME ZONE zone AS late) AS second_pass
      ) AS passes
$$;

-- The open time of a store (null: of every store) between two instants, as ranges [opening, closing) that neither touch
-- nor overlap. A store without hours is open from minus infinity on. Days around a change of the clock are resolved
-- opening by opening; all others are plain arithmetic on the day's midnight, several times faster.
CREATE FUNCTION open_time(of_store text, since timestamptz, until timestamptz)
RETURNS TABLE (store_id text, open tstzmultirange)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT store.store_id,
           CASE WHEN count(hours.store_id) = 0 THEN tstzmultirange(tstzrange(NULL, until))
                ELSE coalesce(
                         range_agg(tstzrange(shift.opens_at, shift.closes_at))
                             FILTER (WHERE shift.opens_at < shift.closes_at),
                         '{}'
                     ) * tstzmultirange(tstzrange(since, until))
           END
      FROM store
      LEFT JOIN store_hours AS hours ON hours.store_id = store.store_id
      LEFT JOIN (
        SELECT zone,
               day,
               (day - DATE '0001-01-01') % 7 AS weekday,
               midnight,
               (day - 1)::timestamp AT TIME ZONE zone = midnight - INTERVAL '24 hours'
                   AND (day + 1)::timestamp AT TIME ZONE zone = midnight + INTERVAL '24 hours'
                   AND (day + 2)::timestamp AT TIME ZONE zone = midnight + INTERVAL '48 hours' AS steady
          FROM (
            SELECT DISTINCT coalesce(timezone, 'America/Chicago') AS zone
              FROM store
             WHERE of_store IS NULL OR store.store_id = of_store
          ) AS zones
         CROSS JOIN LATERAL (
            SELECT (since AT TIME ZONE zone)::date - 1 AS first, (until AT TIME ZONE zone)::date AS last
          ) AS span
         CROSS JOIN LATERAL (SELECT first + generate_series(0, last - first) AS day) AS days
         CROSS JOIN LATERAL (SELECT day::timestamp AT TIME ZONE zone AS midnight) AS start
      ) AS calendar
        ON calendar.zone = coalesce(store.timezone, 'America/Chicago') AND calendar.weekday = hours.weekday
      LEFT JOIN LATERAL (
        SELECT CASE WHEN calendar.steady THEN calendar.midnight + hours.opens::interval
                    ELSE opening_instant(calendar.day + hours.opens, calendar.zone)
               END AS opens_at,
               CASE WHEN hours.closes >= TIME '23:59'
                        THEN (calendar.day + 1)::timestamp AT TIME ZONE calendar.zone
                    WHEN hours.closes <= hours.opens
                        THEN (calendar.day + 1 + hours.closes) AT TIME ZONE calendar.zone
                    WHEN calendar.steady
                        THEN calendar.midnight + hours.closes::interval
                    ELSE (calendar.day + hours.closes) AT TIME ZONE calendar.zone
               END AS closes_at
      ) AS shift ON TRUE
     WHERE of_store IS NULL OR store.store_id = of_store
     GROUP BY store.store_id
$$;

-- The open time of a store from the last poll on that counts (was made in open time) and is older than `moment`, up to
-- `moment`; null where no such poll counts. It looks back from the last poll in steps that double, so that a store that
-- has been silent for a year costs no more than one that was polled yesterday.
CREATE FUNCTION open_time_before(of_store text, moment timestamptz) RETURNS tstzmultirange
LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$
DECLARE
    back CONSTANT interval := INTERVAL '360 hours';
    step interval := INTERVAL '192 hours';
    before timestamptz := moment;
    latest timestamptz;
    found timestamptz;
    recent tstzmultirange;
BEGIN
    LOOP
        SELECT max(poll.polled_at) INTO latest
          FROM store_poll AS poll
         WHERE poll.store_id = of_store AND poll.polled_at < before;
        IF latest IS NULL THEN
            RETURN NULL;
        END IF;
        before := latest - step;
        SELECT max(poll.polled_at) INTO found
          FROM open_time(of_store, before, latest + INTERVAL '1 microsecond') AS hours,
               store_poll AS poll
         WHERE poll.store_id = of_store
           AND poll.polled_at BETWEEN before AND latest
           AND poll.polled_at <@ hours.open;
        EXIT WHEN found IS NOT NULL;
        step := step * 2;
    END LOOP;
    SELECT hours.open INTO recent FROM open_time(of_store, greatest(found, moment - back), moment) AS hours;
    IF found >= moment - back THEN
        RETURN recent;
    ELSIF recent = tstzmultirange(tstzrange(moment - back, moment)) THEN
        -- open without a break for two weeks: open round the clock, since hours repeat by the week
        RETURN tstzmultirange(tstzrange(found, moment));
    END IF;
    RETURN recent + tstzmultirange(tstzrange(found, found, '[]'));
END
$$;

-- What a store (null: every store that was polled at or before `until`) was between two instants: the open time, and
-- the part of it in which the store was up. The rest of the open time it was down, so the two always add up. This is
-- what a report made as of `until` says: polls after it are ignored.
--
-- A poll counts when it was made in open time; where none ever was, all do. Of the polls that count only those matter
-- that differ from the one before: each shows from its own instant on, or, as the first since the store opened, from
-- the opening on. The first of all shows from the beginning.
CREATE FUNCTION store_status(of_store text, since timestamptz, until timestamptz)
RETURNS TABLE (store_id text, open tstzmultirange, up tstzmultirange)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT hours.store_id, total.open, coalesce(total.open * turns.active, '{}')
      FROM open_time(of_store, since - INTERVAL '48 hours', until) AS hours
      JOIN store ON store.store_id = hours.store_id
     CROSS JOIN LATERAL (
        SELECT (
            SELECT poll.polled_at
              FROM store_poll AS poll
             WHERE poll.store_id = hours.store_id
               AND poll.polled_at < since
               AND poll.polled_at
                   >= CASE WHEN lower_inf(hours.open) THEN '-infinity' ELSE since - INTERVAL '48 hours' END
               AND poll.polled_at <@ hours.open
             ORDER BY poll.polled_at DESC
             LIMIT 1
        ) AS at
        OFFSET 0
      ) AS previous
     CROSS JOIN LATERAL (
        SELECT CASE WHEN previous.at IS NULL AND store.first_polled_at < since - INTERVAL '48 hours'
                        THEN open_time_before(hours.store_id, since - INTERVAL '48 hours')
               END AS open
        OFFSET 0
      ) AS earlier
     CROSS JOIN LATERAL (
        SELECT CASE WHEN previous.at IS NOT NULL THEN hours.open
                    WHEN earlier.open IS NOT NULL THEN hours.open + earlier.open
                    WHEN EXISTS (
                        SELECT
                          FROM store_poll AS poll
                         WHERE poll.store_id = hours.store_id
                           AND poll.polled_at >= since
                           AND poll.polled_at < until
                           AND poll.polled_at <@ hours.open
                    ) THEN hours.open
                    ELSE tstzmultirange(tstzrange(NULL, until, '(]'))
               END AS open
        OFFSET 0
      ) AS counting
     CROSS JOIN LATERAL (
        SELECT coalesce(
                   previous.at,
                   lower(earlier.open),
                   CASE WHEN upper_inc(counting.open) THEN (
                       SELECT max(poll.polled_at)
                         FROM store_poll AS poll
                        WHERE poll.store_id = hours.store_id AND poll.polled_at < since
                   ) END,
                   since
               ) AS at
        OFFSET 0
      ) AS beginning
     CROSS JOIN LATERAL (
        SELECT range_agg(tstzrange(shows_at, turns_at)) FILTER (WHERE active) AS active
          FROM (
            SELECT active, shows_at, lead(shows_at, 1, until) OVER (ORDER BY polled_at) AS turns_at
              FROM (
                SELECT polled_at,
                       active,
                       CASE WHEN polled_before IS NULL THEN NULL
                            WHEN counting.open @> tstzrange(polled_before, polled_at, '[]') THEN polled_at
                            ELSE (
                                SELECT lower(opening) FROM unnest(counting.open) AS opening WHERE opening @> polled_at
                            )
                       END AS shows_at
                  FROM (
                    SELECT poll.polled_at,
                           poll.active,
                           lag(poll.active) OVER before AS active_before,
                           lag(poll.polled_at) OVER before AS polled_before
                      FROM store_poll AS poll
                     WHERE poll.store_id = hours.store_id
                       AND poll.polled_at >= beginning.at
                       AND poll.polled_at <= until
                       AND poll.polled_at <@ counting.open
                    WINDOW before AS (ORDER BY poll.polled_at)
                  ) AS counted
                 WHERE active IS DISTINCT FROM active_before
              ) AS turn
          ) AS stretch
      ) AS turns
     CROSS JOIN LATERAL (SELECT hours.open * tstzmultirange(tstzrange(since, until)) AS open OFFSET 0) AS total
     WHERE store.first_polled_at <= until
$$;
