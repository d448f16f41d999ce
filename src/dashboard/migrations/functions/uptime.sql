-- release 1
-- The rules of uptime as functions over ranges. Every statement of the slice calls them.

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

-- The open time of a store (null: of every store) between two instants, as ranges [opening, closing) that neither touch
-- nor overlap. A store without hours is open from minus infinity on. On days near a change of the clock each opening is
-- resolved by the time zone; on all others it is an offset from midnight, which is several times faster.
CREATE OR REPLACE FUNCTION open_time(of_store text, since timestamptz, until timestamptz)
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

-- The open time of a store from its last poll in open time before `moment`, up to `moment`; null without such a poll.
-- The search goes back from the last poll in steps that double, so that a store without polls for a year costs no more
-- than one polled yesterday.
CREATE OR REPLACE FUNCTION open_time_before(of_store text, moment timestamptz) RETURNS tstzmultirange
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
        -- open without a break for two weeks, so open round the clock: hours repeat every week
        RETURN tstzmultirange(tstzrange(found, moment));
    END IF;
    RETURN recent + tstzmultirange(tstzrange(found, found, '[]'));
END
$$;

-- The open time of a store (null: of every store polled at or before `until`) between two instants, and the part of it
-- in which the store was up. In the rest of the open time it was down, so the two always add up. Polls after `until`
-- are ignored, as in a report as of `until`.
--
-- A poll counts if it was made in open time; if none ever was, all polls count. Of those that count, only a poll whose
-- status differs from the one before changes the status: from its own instant on, or from the opening on if it is the
-- first since the store opened. The first of all holds from the beginning.
CREATE OR REPLACE FUNCTION store_status(of_store text, since timestamptz, until timestamptz)
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
