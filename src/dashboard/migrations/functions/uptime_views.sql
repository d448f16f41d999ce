-- release 1
-- What the views of stores show, by the rules of uptime.sql: history, incidents, gaps of the collector.

-- The open time of stores between two instants, and the part of it in which each was up by all its polls up to `known`,
-- those after `until` included: the same instant is up or down whatever the window. up: null for a store without any
-- poll up to `known`.
--
-- Only the first counted poll after `until` can matter, and only if the store has not closed before it, which it does
-- within fifteen days unless it is always open or its hours change, or if no poll before it counts. Stores that need no
-- poll after the same instant, the horizon, are computed together.
CREATE OR REPLACE FUNCTION store_histories(
    of_stores text [], since timestamptz, until timestamptz, known timestamptz
)
RETURNS TABLE (store_id text, open tstzmultirange, up tstzmultirange)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT each.store_id,
           each.open,
           CASE WHEN each.counted OR later.poll_at IS NULL THEN each.up * tstzmultirange(tstzrange(since, until))
                ELSE (
                    SELECT CASE WHEN poll.active THEN each.open ELSE '{}' END
                      FROM store_poll AS poll
                     WHERE poll.store_id = each.store_id AND poll.polled_at = later.poll_at
                )
           END
      FROM (
        SELECT ends.at, array_agg(ends.store_id) AS stores
          FROM (
            SELECT wanted.store_id,
                   least(
                       known + INTERVAL '1 microsecond',
                       greatest(
                           until + INTERVAL '360 hours',
                           CASE WHEN hours_change(wanted.store_id)
                                    THEN next_counted_poll(wanted.store_id, until, known) + INTERVAL '1 microsecond'
                           END
                       )
                   ) AS at
              FROM unnest(of_stores) AS wanted (store_id)
            OFFSET 0
          ) AS ends
         GROUP BY ends.at
        OFFSET 0
      ) AS horizon
     CROSS JOIN LATERAL (
        WITH hours AS MATERIALIZED (
            SELECT whole.store_id, whole.open * tstzmultirange(tstzrange(since, until)) AS open
              FROM open_time(horizon.stores, since, until) AS whole
        ), status AS MATERIALIZED (
            SELECT * FROM store_status(horizon.stores, since, horizon.at, least(known, horizon.at))
        )
        SELECT hours.store_id, hours.open, status.up, status.counted
          FROM hours
          LEFT JOIN status ON status.store_id = hours.store_id
        OFFSET 0
      ) AS each
     CROSS JOIN LATERAL (
        SELECT CASE WHEN each.counted OR horizon.at > known THEN NULL
                    ELSE coalesce(
                        next_counted_poll(each.store_id, horizon.at, known),
                        CASE WHEN each.counted IS NULL THEN (
                            SELECT min(poll.polled_at)
                              FROM store_poll AS poll
                             WHERE poll.store_id = each.store_id AND poll.polled_at <= known
                        ) END
                    )
               END AS poll_at
        OFFSET 0
      ) AS later
$$;

-- The same of one store.
CREATE OR REPLACE FUNCTION store_history(
    of_store text, since timestamptz, until timestamptz, known timestamptz
)
RETURNS TABLE (open tstzmultirange, up tstzmultirange)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT history.open, history.up FROM store_histories(ARRAY[of_store], since, until, known) AS history
$$;

-- When what is known of a store by its polls up to `known` begins: with the opening before its first poll, or with that
-- poll if the store was closed then or had been open for fifteen days; not before the polls that are kept. Null without
-- any poll.
CREATE OR REPLACE FUNCTION history_begins(of_store text, known timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT greatest(least(
               store.first_polled_at,
               (
                   SELECT lower(opening)
                     FROM open_time(
                              ARRAY[of_store],
                              store.first_polled_at - INTERVAL '360 hours',
                              store.first_polled_at + INTERVAL '1 microsecond'
                          ) AS hours
                    CROSS JOIN LATERAL unnest(hours.open) AS opening
                    WHERE opening @> store.first_polled_at
                      AND lower(opening) > store.first_polled_at - INTERVAL '360 hours'
               )
           ), store.polls_since)
      FROM store
     WHERE store.store_id = of_store AND store.first_polled_at <= known
$$;

-- The incidents of a store that overlap a window, by all its polls up to `known`. An incident is a run of downtime
-- with nothing but closed time in between; `down` is its open time. It has the same start and end in every window, and
-- is ongoing until the store was up again.
--
-- Downtime before the store's first poll is the status of that poll carried back; it is part of an incident only from
-- the opening before that poll, or from the poll itself if the store is always open or was closed then. An incident
-- that began before the polls that are kept starts with them.
CREATE OR REPLACE FUNCTION store_incidents(
    of_store text, since timestamptz, until timestamptz, known timestamptz
)
RETURNS TABLE (started_at timestamptz, ended_at timestamptz, ongoing boolean, down tstzmultirange)
LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$
DECLARE
    step interval := INTERVAL '168 hours';
    earliest timestamptz;
    first timestamptz;
    last timestamptz;
    open_parts tstzmultirange;
    up_parts tstzmultirange;
    down_parts tstzmultirange;
    within tstzmultirange;
BEGIN
    earliest := history_begins(of_store, known);
    IF earliest IS NULL OR earliest >= until THEN
        RETURN;
    END IF;
    LOOP
        -- Look farther back and ahead until the store was up on both sides of the downtime in the window.
        first := greatest(earliest, since - step);
        last := least(known, until + step);
        SELECT history.open, history.up INTO open_parts, up_parts
          FROM store_history(of_store, first, last, known) AS history;
        down_parts := open_parts - up_parts;
        EXIT WHEN (first = earliest OR lower(up_parts) <= since) AND (last = known OR upper(up_parts) >= until);
        step := step * 2;
    END LOOP;
    RETURN QUERY
    WITH part AS (
        SELECT each AS span, TRUE AS is_up FROM unnest(up_parts) AS each
        UNION ALL
        SELECT each, FALSE FROM unnest(down_parts) AS each
    ), run AS (
        SELECT part.span, part.is_up, count(*) FILTER (WHERE part.is_up) OVER (ORDER BY lower(part.span)) AS recoveries
          FROM part
    ), incident AS (
        SELECT min(lower(run.span)) AS start, max(upper(run.span)) AS stop, range_agg(run.span) AS parts, run.recoveries
          FROM run
         WHERE NOT run.is_up
         GROUP BY run.recoveries
    )
    SELECT incident.start,
           incident.stop,
           last = known AND incident.recoveries = (SELECT count(*) FROM unnest(up_parts)),
           incident.parts
      FROM incident
     WHERE incident.start < until
       AND (
           incident.stop > since
           OR (last = known AND incident.recoveries = (SELECT count(*) FROM unnest(up_parts)))
       );
END
$$;

-- The spans of at least `min_length`, five minutes or more, in which no store was polled, of those that overlap a
-- window. The last one lasts until `known` if it is not over. There is none before the first poll of the fleet.
CREATE OR REPLACE FUNCTION collector_gaps(
    since timestamptz, until timestamptz, min_length interval, known timestamptz
)
RETURNS TABLE (started_at timestamptz, ended_at timestamptz, ongoing boolean)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT gap.started_at, coalesce(gap.next_poll_at, known), gap.next_poll_at IS NULL
      FROM (
        SELECT last_polled_at AS started_at, lead(first_polled_at) OVER (ORDER BY span_start) AS next_poll_at
          FROM poll_span
         WHERE span_start >= coalesce((
                SELECT span_start
                  FROM poll_span
                 WHERE span_start <= since AND first_polled_at <= since
                 ORDER BY span_start DESC
                 LIMIT 1
             ), '-infinity')
           AND span_start <= coalesce((
                SELECT span_start
                  FROM poll_span
                 WHERE span_start > until - INTERVAL '5 minutes' AND first_polled_at >= until
                 ORDER BY span_start
                 LIMIT 1
             ), 'infinity')
           AND first_polled_at <= known
      ) AS gap
     WHERE gap.started_at < until
       AND coalesce(gap.next_poll_at, known) > since
       AND coalesce(gap.next_poll_at, known) - gap.started_at >= min_length
$$;

-- The parts of a store's open time that are more than `coverage` after any poll up to `known`.
CREATE OR REPLACE FUNCTION unobserved(
    of_store text, parts tstzmultirange, coverage interval, known timestamptz
)
RETURNS tstzmultirange
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT parts - coalesce(range_agg(tstzrange(poll.polled_at, poll.polled_at + coverage)), '{}')
      FROM store_poll AS poll
     WHERE poll.store_id = of_store
       AND poll.polled_at > lower(parts) - coverage
       AND poll.polled_at < upper(parts)
       AND poll.polled_at <= known
$$;

CREATE OR REPLACE FUNCTION length_of(parts tstzmultirange) RETURNS interval
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT coalesce(sum(upper(part) - lower(part)), '0') FROM unnest(parts) AS part
$$;
