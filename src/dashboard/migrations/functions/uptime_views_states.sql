-- release 1
-- The state of stores at an instant, by the rules of uptime.sql.

-- The open time of a store since its last poll, between that and a moment.
CREATE OR REPLACE FUNCTION open_without_poll(of_store text, polled_at timestamptz, moment timestamptz) RETURNS interval
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT length_of(hours.open * tstzmultirange(tstzrange(polled_at, moment)))
      FROM open_time(ARRAY[of_store], polled_at, moment) AS hours
$$;

-- The state of stores at a moment, by their polls up to it: never_polled; closed; stale, if it was open for three hours
-- without a poll; else up or down, which is the status of the last poll that counts. polled_at: the last poll.
--
-- Single shifts tell which stores are open, and whether a poll of the last three hours counts, which settles almost all
-- of them. Open time is put together for the rest alone.
CREATE OR REPLACE FUNCTION store_states(of_stores text [], moment timestamptz)
RETURNS TABLE (store_id text, state text, polled_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    WITH seen AS MATERIALIZED (
        SELECT shift.store_id,
               coalesce(
                   bool_or(NOT shift.has_hours OR (shift.opens_at <= moment AND shift.closes_at > moment)), FALSE
               ) AS is_open,
               coalesce(
                   bool_or(
                       NOT shift.has_hours OR (shift.opens_at <= last.polled_at AND shift.closes_at > last.polled_at)
                   ), FALSE
               ) AS counts,
               min(last.polled_at) AS polled_at
          FROM store_shifts(of_stores, moment - INTERVAL '3 hours', moment + INTERVAL '1 microsecond') AS shift
          JOIN last_polls(of_stores, moment) AS last ON last.store_id = shift.store_id
         GROUP BY shift.store_id
    ), known AS MATERIALIZED (
        SELECT seen.store_id,
               seen.polled_at,
               seen.is_open AND NOT coalesce(closures.closed @> moment, FALSE) AS is_open,
               seen.polled_at > moment - INTERVAL '3 hours'
                   AND seen.counts
                   AND NOT coalesce(closures.closed @> seen.polled_at, FALSE) AS is_settled
          FROM seen
          LEFT JOIN closed_time(of_stores) AS closures ON closures.store_id = seen.store_id
    ), judged AS (
        SELECT known.store_id,
               CASE WHEN known.polled_at <= moment - INTERVAL '3 hours'
                         AND (
                             length_of(hours.open * tstzmultirange(tstzrange(known.polled_at, moment)))
                                 >= INTERVAL '3 hours'
                             OR (
                                 known.polled_at < moment - INTERVAL '48 hours'
                                 AND open_without_poll(known.store_id, known.polled_at, moment) >= INTERVAL '3 hours'
                             )
                         ) THEN 'stale'
                    WHEN (
                        SELECT poll.active
                          FROM store_poll AS poll
                         WHERE poll.store_id = known.store_id
                           AND poll.polled_at = CASE WHEN hours.open @> known.polled_at THEN known.polled_at
                                                     ELSE coalesce(
                                                         last_counted_poll(
                                                             known.store_id, moment + INTERVAL '1 microsecond'
                                                         ),
                                                         known.polled_at
                                                     )
                                                END
                    ) THEN 'up'
                    ELSE 'down'
               END AS state
          FROM known
          JOIN open_time(
                   array(
                       SELECT known.store_id
                         FROM known
                        WHERE known.polled_at IS NOT NULL AND known.is_open AND NOT known.is_settled
                   ),
                   moment - INTERVAL '48 hours',
                   moment + INTERVAL '1 microsecond'
               ) AS hours
            ON hours.store_id = known.store_id
    )
    SELECT known.store_id,
           CASE WHEN known.polled_at IS NULL THEN 'never_polled'
                WHEN NOT known.is_open THEN 'closed'
                WHEN known.is_settled THEN CASE WHEN poll.active THEN 'up' ELSE 'down' END
                ELSE judged.state
           END,
           known.polled_at
      FROM known
      LEFT JOIN judged ON judged.store_id = known.store_id
      LEFT JOIN store_poll AS poll
        ON poll.store_id = known.store_id AND poll.polled_at = known.polled_at
           AND known.is_open AND known.is_settled
$$;

-- Since when a store that is open at a moment has been up, or down: closed time in between does not end it.
CREATE OR REPLACE FUNCTION status_since(of_store text, moment timestamptz) RETURNS timestamptz
LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$
DECLARE
    step interval := INTERVAL '168 hours';
    earliest timestamptz := history_begins(of_store, moment);
    first timestamptz;
    same tstzmultirange;
    other tstzmultirange;
BEGIN
    LOOP
        first := greatest(earliest, moment - step);
        SELECT CASE WHEN history.up @> moment THEN history.up ELSE history.open - history.up END,
               CASE WHEN history.up @> moment THEN history.open - history.up ELSE history.up END
          INTO same, other
          FROM store_history(of_store, first, moment + INTERVAL '1 microsecond', moment) AS history;
        EXIT WHEN NOT isempty(other) OR first = earliest;
        step := step * 2;
    END LOOP;
    RETURN (
        SELECT min(lower(part)) FROM unnest(same) AS part WHERE lower(part) >= coalesce(upper(other), '-infinity')
    );
END
$$;

-- Since when a store is in the state that it is in at a moment: closed, since it closed; stale, since it was open for
-- three hours without a poll; up or down as status_since has it. Null if it was never polled, or not open for ten
-- years.
CREATE OR REPLACE FUNCTION state_since(of_store text, state text, polled_at timestamptz, moment timestamptz)
RETURNS timestamptz
LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$
DECLARE
    step interval := INTERVAL '360 hours';
    closed_at timestamptz;
BEGIN
    IF state IN ('up', 'down') THEN
        RETURN status_since(of_store, moment);
    ELSIF state = 'stale' THEN
        RETURN (
            SELECT lower(part.span) + (INTERVAL '3 hours' - part.before)
              FROM (
                SELECT span,
                       upper(span) - lower(span) AS length,
                       coalesce(
                           sum(upper(span) - lower(span)) OVER (
                               ORDER BY lower(span) ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                           ),
                           '0'
                       ) AS before
                  FROM open_time(ARRAY[of_store], polled_at, moment) AS hours
                 CROSS JOIN LATERAL unnest(hours.open * tstzmultirange(tstzrange(polled_at, moment))) AS span
              ) AS part
             WHERE part.before < INTERVAL '3 hours' AND part.before + part.length >= INTERVAL '3 hours'
        );
    ELSIF state = 'closed' THEN
        WHILE closed_at IS NULL AND step < INTERVAL '88000 hours' LOOP
            SELECT upper(hours.open * tstzmultirange(tstzrange(NULL, moment))) INTO closed_at
              FROM open_time(ARRAY[of_store], moment - step, moment) AS hours;
            step := step * 2;
        END LOOP;
        RETURN closed_at;
    END IF;
    RETURN NULL;
END
$$;
