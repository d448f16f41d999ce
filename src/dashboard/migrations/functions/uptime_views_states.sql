-- release 1
-- The state of stores at an instant, by the rules of uptime.sql.

-- The open time of a store since its last poll, between that and a moment.
CREATE OR REPLACE FUNCTION open_without_poll(of_store text, polled_at timestamptz, moment timestamptz) RETURNS interval
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT length_of(hours.open * tstzmultirange(tstzrange(polled_at, moment)))
      FROM open_time(ARRAY[of_store], polled_at, moment) AS hours
$$;

-- Whether a store is stale at a moment: it was open for three hours since its last poll. open: its open time up to the
-- moment, from 48 hours before it on.
CREATE OR REPLACE FUNCTION is_stale(
    of_store text, polled_at timestamptz, open tstzmultirange, moment timestamptz
) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT polled_at <= moment - INTERVAL '3 hours'
       AND (
           length_of(open * tstzmultirange(tstzrange(polled_at, moment))) >= INTERVAL '3 hours'
           OR (
               polled_at < moment - INTERVAL '48 hours'
               AND open_without_poll(of_store, polled_at, moment) >= INTERVAL '3 hours'
           )
       )
$$;

-- The state of stores at a moment, by their polls up to it: never_polled; closed; stale, if it was open for three hours
-- without a poll; else up or down, which is the status of the last poll that counts. polled_at: the last poll.
--
-- Single shifts tell which stores are open, and whether a poll of the last three hours counts, which settles almost all
-- that have no closures. Open time is put together for the rest alone. Nothing here joins one computed list of stores
-- to another: the planner cannot know how long they are.
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
          JOIN store ON store.store_id = shift.store_id
         CROSS JOIN LATERAL (
            SELECT CASE WHEN store.last_polled_at <= moment THEN store.last_polled_at
                        WHEN store.first_polled_at <= moment THEN (
                            SELECT max(poll.polled_at)
                              FROM store_poll AS poll
                             WHERE poll.store_id = store.store_id AND poll.polled_at <= moment
                        )
                   END AS polled_at
            OFFSET 0
          ) AS last
         GROUP BY shift.store_id
    ), settled AS MATERIALIZED (
        SELECT seen.store_id,
               CASE WHEN seen.polled_at IS NULL THEN 'never_polled'
                    WHEN seen.store_id IN (SELECT store_closure.store_id FROM store_closure) THEN NULL
                    WHEN NOT seen.is_open THEN 'closed'
                    WHEN seen.polled_at > moment - INTERVAL '3 hours' AND seen.counts THEN (
                        SELECT CASE WHEN poll.active THEN 'up' ELSE 'down' END
                          FROM store_poll AS poll
                         WHERE poll.store_id = seen.store_id AND poll.polled_at = seen.polled_at
                    )
               END AS state,
               seen.polled_at
          FROM seen
    )
    SELECT settled.store_id, settled.state, settled.polled_at
      FROM settled
     WHERE settled.state IS NOT NULL
     UNION ALL
    SELECT store.store_id,
           CASE WHEN NOT hours.open @> moment THEN 'closed'
                WHEN is_stale(store.store_id, last.polled_at, hours.open, moment) THEN 'stale'
                WHEN (
                    SELECT poll.active
                      FROM store_poll AS poll
                     WHERE poll.store_id = store.store_id
                       AND poll.polled_at = CASE WHEN hours.open @> last.polled_at THEN last.polled_at
                                                 ELSE coalesce(
                                                     (
                                                         SELECT earlier.polled_at
                                                           FROM store_poll AS earlier
                                                          WHERE earlier.store_id = store.store_id
                                                            AND earlier.polled_at <= moment
                                                            AND earlier.polled_at >= moment - INTERVAL '48 hours'
                                                            AND earlier.polled_at <@ hours.open
                                                          ORDER BY earlier.polled_at DESC
                                                          LIMIT 1
                                                     ),
                                                     last_counted_poll(
                                                         store.store_id, moment + INTERVAL '1 microsecond'
                                                     ),
                                                     last.polled_at
                                                 )
                                            END
                ) THEN 'up'
                ELSE 'down'
           END,
           last.polled_at
      FROM open_time(
               array(SELECT settled.store_id FROM settled WHERE settled.state IS NULL),
               moment - INTERVAL '48 hours',
               moment + INTERVAL '1 microsecond'
           ) AS hours
      JOIN store ON store.store_id = hours.store_id
     CROSS JOIN LATERAL (
        SELECT CASE WHEN store.last_polled_at <= moment THEN store.last_polled_at
                    WHEN store.first_polled_at <= moment THEN (
                        SELECT max(poll.polled_at)
                          FROM store_poll AS poll
                         WHERE poll.store_id = store.store_id AND poll.polled_at <= moment
                    )
               END AS polled_at
        OFFSET 0
      ) AS last
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

-- Whether the polls of a store in open time, up to a moment, say that it went down and has not come up since: of the
-- runs of at least so many equal ones, the last is of inactive ones. Without any such run it is not down. The search
-- goes back from the last poll in steps that double.
CREATE OR REPLACE FUNCTION is_down_by_runs(of_store text, moment timestamptz, length integer) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$
DECLARE
    step interval := greatest(INTERVAL '48 hours', length * INTERVAL '3 hours');
    first timestamptz := moment + INTERVAL '1 microsecond';
    latest timestamptz;
    is_down boolean;
BEGIN
    LOOP
        SELECT max(poll.polled_at) INTO latest
          FROM store_poll AS poll
         WHERE poll.store_id = of_store AND poll.polled_at < first;
        IF latest IS NULL THEN
            RETURN FALSE;
        END IF;
        first := latest - step;
        SELECT run.active = 0 INTO is_down
          FROM (
            SELECT poll.polled_at,
                   count(*) OVER ending AS polls,
                   count(*) FILTER (WHERE poll.active) OVER ending AS active
              FROM open_time(ARRAY[of_store], first, moment + INTERVAL '1 microsecond') AS hours, store_poll AS poll
             WHERE poll.store_id = of_store
               AND poll.polled_at BETWEEN first AND moment
               AND poll.polled_at <@ hours.open
            WINDOW ending AS (ORDER BY poll.polled_at ROWS BETWEEN length - 1 PRECEDING AND CURRENT ROW)
          ) AS run
         WHERE run.polls = length AND run.active IN (0, length)
         ORDER BY run.polled_at DESC
         LIMIT 1;
        IF is_down IS NOT NULL THEN
            RETURN is_down;
        END IF;
        step := step * 2;
    END LOOP;
END
$$;
