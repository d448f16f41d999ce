-- release 1
-- The rules of uptime as functions over ranges. Every statement of the slice calls them, or those of uptime_views.sql.

-- The time zone of a store. named: the one that a file names; null: none does.
CREATE OR REPLACE FUNCTION zone_of(named text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT coalesce(named, 'America/Chicago')
$$;

-- The first instant at which a wall clock in a zone shows a time. PostgreSQL resolves an ambiguous time to its second
-- pass and a skipped one by the offset before. That is right for a closing; an opening needs the first pass. Therefore
-- add to the instant three hours earlier by the offset of that instant: if the wall clock then shows the time, it is
-- the first pass.
CREATE OR REPLACE FUNCTION opening_instant(wall timestamp, zone text) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE WHEN early AT TIME ZONE zone = wall THEN early ELSE late END
      FROM (
        SELECT late, late - INTERVAL '3 hours' + (wall - (late - INTERVAL '3 hours') AT TIME ZONE zone) AS early
          FROM (SELECT wall AT TIME ZONE zone AS late) AS second_pass
      ) AS passes
$$;

-- The closures of stores that have any: holidays and maintenance, which are not open time.
CREATE OR REPLACE FUNCTION closed_time(of_stores text [])
RETURNS TABLE (store_id text, closed tstzmultirange)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT store.store_id,
           range_agg(
               CASE WHEN closure.first_day IS NULL THEN tstzrange(closure.starts_at, closure.ends_at)
                    ELSE tstzrange(
                        opening_instant(closure.first_day::timestamp, zone_of(store.timezone)),
                        opening_instant((closure.last_day + 1)::timestamp, zone_of(store.timezone))
                    )
               END
           )
      FROM store_closure AS closure
      JOIN store ON store.store_id = closure.store_id
     WHERE closure.store_id = ANY(of_stores)
     GROUP BY store.store_id
$$;

-- Whether the open time of a store is not the same in every week.
CREATE OR REPLACE FUNCTION hours_change(of_store text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT EXISTS (SELECT FROM store_closure WHERE store_id = of_store)
        OR EXISTS (SELECT FROM store_hours WHERE store_id = of_store AND valid_from > '-infinity')
$$;

-- The shifts of stores on the local days that may reach into the time between two instants, as they are: they may
-- overlap, touch, or end before they begin where the clock changes. whole_day: the bit of the weekday, if the row of
-- hours is of a whole day and has always been valid. A row of hours that matches no day of the span yields one row
-- with null instants. A store without hours has one row, with has_hours = FALSE.
--
-- On days near a change of the clock each opening is resolved by the time zone; on all others it is an offset from
-- midnight, which is several times faster.
CREATE OR REPLACE FUNCTION store_shifts(of_stores text [], since timestamptz, until timestamptz)
RETURNS TABLE (
    store_id text, has_hours boolean, whole_day integer, opens_at timestamptz, closes_at timestamptz
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT store.store_id,
           hours.store_id IS NOT NULL,
           CASE WHEN hours.opens = TIME '00:00'
                     AND (hours.closes >= TIME '23:59' OR hours.closes = TIME '00:00')
                     AND hours.valid_from = '-infinity'
                     AND hours.valid_until = 'infinity'
                    THEN 1 << hours.weekday
           END,
           shift.opens_at,
           shift.closes_at
      FROM unnest(of_stores) AS wanted (store_id)
      JOIN store ON store.store_id = wanted.store_id
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
            SELECT DISTINCT zone_of(timezone) AS zone
              FROM unnest(of_stores) AS wanted (store_id)
              JOIN store ON store.store_id = wanted.store_id
          ) AS zones
         CROSS JOIN LATERAL (
            SELECT (since AT TIME ZONE zone)::date - 1 AS first, (until AT TIME ZONE zone)::date AS last
          ) AS span
         CROSS JOIN LATERAL unnest(array(SELECT first + generate_series(0, last - first))) AS days (day)
         CROSS JOIN LATERAL (SELECT day::timestamp AT TIME ZONE zone AS midnight) AS start
      ) AS calendar
        ON calendar.zone = zone_of(store.timezone)
           AND calendar.weekday = hours.weekday
           AND calendar.day >= hours.valid_from
           AND calendar.day < hours.valid_until
      LEFT JOIN LATERAL (
        SELECT CASE WHEN calendar.steady THEN calendar.midnight + hours.opens::interval
                    WHEN NOT calendar.steady THEN opening_instant(calendar.day + hours.opens, calendar.zone)
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
$$;

-- The open time of stores between two instants, without their closures, as ranges [opening, closing) that neither touch
-- nor overlap. A store without hours, and one that was always open all day on every weekday, is open from minus
-- infinity on.
CREATE OR REPLACE FUNCTION open_time(of_stores text [], since timestamptz, until timestamptz)
RETURNS TABLE (store_id text, open tstzmultirange)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT weekly.store_id, CASE WHEN closures.closed IS NULL THEN weekly.open ELSE weekly.open - closures.closed END
      FROM (
        SELECT shift.store_id,
               CASE WHEN NOT bool_or(shift.has_hours) OR bit_or(shift.whole_day) = 127
                        THEN tstzmultirange(tstzrange(NULL, until))
                    ELSE coalesce(
                             range_agg(tstzrange(shift.opens_at, shift.closes_at))
                                 FILTER (WHERE shift.opens_at < shift.closes_at),
                             '{}'
                         ) * tstzmultirange(tstzrange(since, until))
               END AS open
          FROM store_shifts(of_stores, since, until) AS shift
         GROUP BY shift.store_id
      ) AS weekly
      LEFT JOIN closed_time(of_stores) AS closures ON closures.store_id = weekly.store_id
$$;

-- The newest poll of the fleet up to `known`; null without one. A stored poll may be dated after it.
CREATE OR REPLACE FUNCTION newest_poll(known timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT greatest(
               (SELECT max(last_polled_at) FROM store WHERE last_polled_at <= known),
               (
                   SELECT max(visible.at)
                     FROM store
                    CROSS JOIN LATERAL (
                        SELECT max(poll.polled_at) AS at
                          FROM store_poll AS poll
                         WHERE poll.store_id = store.store_id AND poll.polled_at <= known
                      ) AS visible
                    WHERE store.last_polled_at > known
               )
           )
$$;

-- The last poll of a store before `moment` that was made in open time; null without one. The search goes back from the
-- last poll in steps that double, so that a store without polls for a year costs no more than one polled yesterday.
CREATE OR REPLACE FUNCTION last_counted_poll(of_store text, moment timestamptz) RETURNS timestamptz
LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$
DECLARE
    step interval := INTERVAL '192 hours';
    before timestamptz := moment;
    latest timestamptz;
    found timestamptz;
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
          FROM open_time(ARRAY[of_store], before, latest + INTERVAL '1 microsecond') AS hours,
               store_poll AS poll
         WHERE poll.store_id = of_store
           AND poll.polled_at BETWEEN before AND latest
           AND poll.polled_at <@ hours.open;
        IF found IS NOT NULL THEN
            RETURN found;
        END IF;
        step := step * 2;
    END LOOP;
END
$$;

-- The first poll of a store from `moment` to `known` that was made in open time; null without one.
CREATE OR REPLACE FUNCTION next_counted_poll(of_store text, moment timestamptz, known timestamptz) RETURNS timestamptz
LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$
DECLARE
    step interval := INTERVAL '192 hours';
    after timestamptz := moment;
    earliest timestamptz;
    found timestamptz;
BEGIN
    LOOP
        SELECT min(poll.polled_at) INTO earliest
          FROM store_poll AS poll
         WHERE poll.store_id = of_store AND poll.polled_at >= after AND poll.polled_at <= known;
        IF earliest IS NULL THEN
            RETURN NULL;
        END IF;
        after := earliest + step;
        SELECT min(poll.polled_at) INTO found
          FROM open_time(ARRAY[of_store], earliest, after) AS hours, store_poll AS poll
         WHERE poll.store_id = of_store
           AND poll.polled_at >= earliest
           AND poll.polled_at < after
           AND poll.polled_at <= known
           AND poll.polled_at <@ hours.open;
        IF found IS NOT NULL THEN
            RETURN found;
        END IF;
        step := step * 2;
    END LOOP;
END
$$;

-- The open time of a store between its last counted poll, `found`, and `moment`, as far as it shows whether the store
-- closed in between. Where hours repeat every week, a store open without a break for fifteen days has been open since.
CREATE OR REPLACE FUNCTION open_time_since(of_store text, found timestamptz, moment timestamptz) RETURNS tstzmultirange
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT CASE WHEN whole.changes OR found >= moment - INTERVAL '360 hours' THEN hours.open
                WHEN hours.open = tstzmultirange(tstzrange(moment - INTERVAL '360 hours', moment))
                    THEN tstzmultirange(tstzrange(found, moment))
                ELSE hours.open + tstzmultirange(tstzrange(found, found, '[]'))
           END
      FROM (SELECT hours_change(of_store) AS changes OFFSET 0) AS whole
     CROSS JOIN LATERAL open_time(
        ARRAY[of_store],
        CASE WHEN whole.changes THEN least(found, moment - INTERVAL '360 hours') ELSE moment - INTERVAL '360 hours' END,
        moment
     ) AS hours
$$;

-- The open time of stores polled at or before `known`, between two instants, and the part of it
-- in which the store was up. In the rest of the open time it was down, so the two always add up. Polls after `known`,
-- which is not after `until`, are ignored. counted: whether a poll was made in open time.
--
-- A poll counts if it was made in open time; if none ever was, all polls count. Of those that count, only a poll whose
-- status differs from the one before changes the status: from its own instant on, or from the opening on if it is the
-- first since the store opened. The first of all holds from the beginning.
--
-- The last counted poll before `since` is looked for within 48 hours first. Stores without one are searched together,
-- those whose last polls are of the same week in one step, and only what is left one by one: a report as of a time far
-- from the polls costs little more than another.
CREATE OR REPLACE FUNCTION store_status(
    of_stores text [], since timestamptz, until timestamptz, known timestamptz
)
RETURNS TABLE (store_id text, open tstzmultirange, up tstzmultirange, counted boolean)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    WITH recent AS MATERIALIZED (
        SELECT hours.store_id,
               hours.open,
               (
                   SELECT poll.polled_at
                     FROM store_poll AS poll
                    WHERE poll.store_id = hours.store_id
                      AND poll.polled_at < since
                      AND poll.polled_at
                          >= CASE WHEN lower_inf(hours.open) THEN '-infinity' ELSE since - INTERVAL '48 hours' END
                      AND poll.polled_at <@ hours.open
                    ORDER BY poll.polled_at DESC
                    LIMIT 1
               ) AS counted_at,
               store.first_polled_at < since - INTERVAL '48 hours' AS polled_earlier
          FROM open_time(of_stores, since - INTERVAL '48 hours', until) AS hours
          JOIN store ON store.store_id = hours.store_id
         WHERE store.first_polled_at <= known
    ), silent AS MATERIALIZED (
        SELECT recent.store_id, latest.at
          FROM recent
         CROSS JOIN LATERAL (
            SELECT poll.polled_at AS at
              FROM store_poll AS poll
             WHERE poll.store_id = recent.store_id AND poll.polled_at < since - INTERVAL '48 hours'
             ORDER BY poll.polled_at DESC
             LIMIT 1
          ) AS latest
         WHERE recent.counted_at IS NULL AND recent.polled_earlier AND NOT lower_inf(recent.open)
    ), searched AS (
        SELECT hours.store_id,
               (
                   SELECT poll.polled_at
                     FROM store_poll AS poll
                    WHERE poll.store_id = hours.store_id
                      AND poll.polled_at >= cohort.first - INTERVAL '48 hours'
                      AND poll.polled_at <= cohort.last
                      AND poll.polled_at < since - INTERVAL '48 hours'
                      AND poll.polled_at <@ hours.open
                    ORDER BY poll.polled_at DESC
                    LIMIT 1
               ) AS found
          FROM (
            SELECT array_agg(silent.store_id) AS stores, min(silent.at) AS first, max(silent.at) AS last
              FROM silent
             GROUP BY date_bin('7 days', silent.at, '2000-01-03 00:00:00+00')
          ) AS cohort
         CROSS JOIN LATERAL open_time(
            cohort.stores, cohort.first - INTERVAL '48 hours', cohort.last + INTERVAL '1 microsecond'
          ) AS hours
    ), earlier AS MATERIALIZED (
        SELECT store_id, coalesce(found, last_counted_poll(store_id, since - INTERVAL '48 hours')) AS found
          FROM searched
    ), base AS MATERIALIZED (
        SELECT recent.store_id,
               recent.open,
               coalesce(recent.counted_at, earlier.found) AS counted_at,
               CASE WHEN earlier.found IS NULL THEN recent.open
                    -- the store closed in the 48 hours: that is all that the turns below ask for
                    WHEN NOT recent.open @> tstzrange(since - INTERVAL '48 hours', since)
                        THEN recent.open + tstzmultirange(tstzrange(earlier.found, earlier.found, '[]'))
                    ELSE recent.open
                        + open_time_since(recent.store_id, earlier.found, since - INTERVAL '48 hours')
               END AS counting
          FROM recent
          LEFT JOIN earlier ON earlier.store_id = recent.store_id
    )
    SELECT base.store_id,
           total.open,
           coalesce(total.open * turns.active, '{}'),
           base.counted_at IS NOT NULL OR NOT upper_inc(counting.open)
      FROM base
     CROSS JOIN LATERAL (
        SELECT CASE WHEN base.counted_at IS NOT NULL THEN base.counting
                    WHEN EXISTS (
                        SELECT
                          FROM store_poll AS poll
                         WHERE poll.store_id = base.store_id
                           AND poll.polled_at >= since
                           AND poll.polled_at <= known
                           AND poll.polled_at <@ base.counting
                    ) THEN base.counting
                    ELSE tstzmultirange(tstzrange(NULL, until, '(]'))
               END AS open
        OFFSET 0
      ) AS counting
     CROSS JOIN LATERAL (
        SELECT coalesce(
                   base.counted_at,
                   CASE WHEN upper_inc(counting.open) THEN (
                       SELECT max(poll.polled_at)
                         FROM store_poll AS poll
                        WHERE poll.store_id = base.store_id AND poll.polled_at < since
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
                     WHERE poll.store_id = base.store_id
                       AND poll.polled_at >= beginning.at
                       AND poll.polled_at <= known
                       AND poll.polled_at <@ counting.open
                    WINDOW before AS (ORDER BY poll.polled_at)
                  ) AS counted
                 WHERE active IS DISTINCT FROM active_before
              ) AS turn
          ) AS stretch
      ) AS turns
     CROSS JOIN LATERAL (SELECT base.open * tstzmultirange(tstzrange(since, until)) AS open OFFSET 0) AS total
$$;
