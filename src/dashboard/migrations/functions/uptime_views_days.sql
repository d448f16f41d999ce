-- release 1
-- The figures of stores for each of their local days: how they are computed, kept, and made again; and the deletion of
-- old polls.

-- The figures of a store for each of its local days, of the part of them between two instants, by its polls up to
-- `known`: open time, the part of it in which the store was up, the part that a poll covers, and the incidents that
-- began on the day.
--
-- An incident begins where the store goes down after it was up in the window. Whether the downtime at the beginning of
-- the window is one that began there is told by store_incidents, and, where older polls were deleted, by down_before.
CREATE OR REPLACE FUNCTION store_days(
    of_store text, since timestamptz, until timestamptz, coverage interval, known timestamptz
)
RETURNS TABLE (day date, open_time interval, uptime interval, observed_time interval, incidents integer)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT local.day,
           length_of(history.open * local.span),
           length_of(history.up * local.span),
           length_of(history.open * local.span) - length_of(history.gaps * local.span),
           (SELECT count(*)::integer FROM unnest(beginning.of_incidents) AS start WHERE local.span @> start)
      FROM (
        SELECT store_history.open, up, unobserved(of_store, store_history.open, coverage, known) AS gaps
          FROM store_history(of_store, since, until, known)
        OFFSET 0
      ) AS history
     CROSS JOIN LATERAL (SELECT history.open - history.up AS down OFFSET 0) AS rest
     CROSS JOIN LATERAL (
        SELECT array(
                   SELECT lower(part.span)
                     FROM (
                        SELECT each.span, each.is_up, lag(each.is_up) OVER (ORDER BY lower(each.span)) AS was_up
                          FROM (
                            SELECT unnest(history.up) AS span, TRUE AS is_up
                            UNION ALL
                            SELECT unnest(rest.down), FALSE
                          ) AS each
                     ) AS part
                    WHERE part.was_up AND NOT part.is_up
               ) || CASE WHEN isempty(rest.down) OR lower(history.up) < lower(rest.down) THEN '{}'
                         ELSE array(
                             SELECT found.started_at
                               FROM store_incidents(
                                        of_store,
                                        lower(rest.down),
                                        coalesce(lower(history.up), upper(rest.down)),
                                        known
                                    ) AS found
                               JOIN store ON store.store_id = of_store
                              WHERE found.started_at >= lower(rest.down)
                                AND NOT (
                                    store.down_before
                                    AND found.started_at >= store.polls_since
                                    AND NOT EXISTS (
                                        SELECT
                                          FROM open_time(ARRAY[of_store], store.polls_since, found.started_at) AS hours
                                         WHERE NOT isempty(
                                               hours.open * tstzmultirange(tstzrange(store.polls_since, found.started_at))
                                         )
                                    )
                                )
                         )
                    END AS of_incidents
        OFFSET 0
      ) AS beginning
     CROSS JOIN LATERAL (
        SELECT each.day,
               tstzmultirange(tstzrange(
                   opening_instant(each.day::timestamp, zone.name),
                   opening_instant((each.day + 1)::timestamp, zone.name)
               ) * tstzrange(since, until)) AS span
          FROM (
            SELECT coalesce(timezone, 'America/Chicago') AS name FROM store WHERE store_id = of_store
          ) AS zone
         CROSS JOIN LATERAL (
            SELECT (since AT TIME ZONE zone.name)::date AS first,
                   ((until - INTERVAL '1 microsecond') AT TIME ZONE zone.name)::date AS last
          ) AS days
         CROSS JOIN LATERAL (SELECT first + generate_series(0, last - first) AS day) AS each
      ) AS local
     WHERE NOT isempty(local.span)
$$;

-- Delete the polls of stores that are older than `keep` before the newest poll of their store, after the figures of
-- their local days are kept in store_day. Goes on until `max_rows` polls are deleted or no store has older ones;
-- returns how many were deleted. The last poll that counts before the time kept stays: its status continues into it.
-- imports_lock: held meanwhile, so that no import adds polls to these days.
CREATE OR REPLACE FUNCTION roll_up_polls(
    keep interval, max_rows bigint, coverage interval, imports_lock bigint, at_time timestamptz
)
RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
    due record;
    counted_at timestamptz;
    was_down boolean;
    deleted bigint;
    total bigint := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(imports_lock);
    FOR due IN
        SELECT store.store_id, span.since, span.until, (span.until AT TIME ZONE local.zone)::date AS first_left
          FROM store
         CROSS JOIN LATERAL (SELECT coalesce(store.timezone, 'America/Chicago') AS zone) AS local
         CROSS JOIN LATERAL (
            SELECT CASE WHEN store.last_polled_at <= at_time THEN store.last_polled_at
                        ELSE (
                            SELECT max(poll.polled_at)
                              FROM store_poll AS poll
                             WHERE poll.store_id = store.store_id AND poll.polled_at <= at_time
                        )
                   END AS newest
            OFFSET 0
          ) AS visible
         CROSS JOIN LATERAL (
            SELECT coalesce(
                       store.polls_since,
                       opening_instant(date_trunc('day', store.first_polled_at AT TIME ZONE local.zone), local.zone)
                   ) AS since,
                   opening_instant(date_trunc('day', (visible.newest - keep) AT TIME ZONE local.zone), local.zone)
                       AS until
          ) AS span
         WHERE store.first_polled_at < visible.newest - keep AND span.since < span.until
         ORDER BY store.store_id
    LOOP
        INSERT INTO store_day AS kept (store_id, day, open_time, uptime, observed_time, incidents)
        SELECT due.store_id, days.day, days.open_time, days.uptime, days.observed_time, days.incidents
          FROM store_days(due.store_id, due.since, due.until, coverage, at_time) AS days
        ON CONFLICT (store_id, day) DO UPDATE -- the time zone has changed: the rest of a day
           SET open_time = kept.open_time + excluded.open_time,
               uptime = kept.uptime + excluded.uptime,
               observed_time = kept.observed_time + excluded.observed_time,
               incidents = kept.incidents + excluded.incidents;
        SELECT open_parts.last_open > coalesce(upper(history.up), '-infinity')
                   AND open_parts.last_open > history_begins(due.store_id, at_time)
          INTO was_down
          FROM store_history(due.store_id, due.since, due.until, at_time) AS history
         CROSS JOIN LATERAL (SELECT upper(history.open) AS last_open) AS open_parts;
        counted_at := coalesce(
            last_counted_poll(due.store_id, due.until),
            (SELECT max(polled_at) FROM store_poll WHERE store_id = due.store_id AND polled_at < due.until)
        );
        DELETE FROM store_poll WHERE store_id = due.store_id AND polled_at < counted_at;
        GET DIAGNOSTICS deleted = ROW_COUNT;
        DELETE FROM store_recent_day WHERE store_id = due.store_id AND day < due.first_left;
        DELETE FROM store_poll_deletion WHERE store_id = due.store_id AND deleted_until <= due.until;
        UPDATE store
           SET polls_since = due.until,
               down_before = coalesce(was_down, down_before),
               days_until = CASE WHEN days_until > due.until THEN days_until END
         WHERE store_id = due.store_id;
        total := total + deleted;
        EXIT WHEN total >= max_rows;
    END LOOP;
    RETURN total;
END
$$;

-- The instant before which no poll at or after `changed_at` changes a figure of a store: `changed_at` itself if a poll
-- that counts precedes it in the same open interval, or if the store is closed then; else the opening before it. Minus
-- infinity if no poll before it counts, since the first poll that does decides what was before.
CREATE OR REPLACE FUNCTION days_hold_until(of_store text, changed_at timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT CASE WHEN counted.at IS NULL THEN '-infinity'
                ELSE coalesce(
                    (
                        SELECT CASE WHEN part @> counted.at THEN changed_at ELSE lower(part) END
                          FROM open_time(
                                   ARRAY[of_store], counted.at, changed_at + INTERVAL '1 microsecond'
                               ) AS hours
                         CROSS JOIN LATERAL unnest(hours.open) AS part
                         WHERE part @> changed_at
                    ),
                    changed_at
                )
           END
      FROM (SELECT last_counted_poll(of_store, changed_at) AS at OFFSET 0) AS counted
$$;

-- The local midnight at which the day of an instant begins; null for minus infinity.
CREATE OR REPLACE FUNCTION midnight_before(moment timestamptz, zone text) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE WHEN isfinite(moment) THEN opening_instant(date_trunc('day', moment AT TIME ZONE zone), zone) END
$$;

-- The stores of which days are over by `settled` and were not made yet.
CREATE OR REPLACE FUNCTION stores_with_days_to_make(settled timestamptz) RETURNS SETOF text
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT store_id
      FROM store
     WHERE first_polled_at <= settled
       AND days_made_on IS DISTINCT FROM (settled AT TIME ZONE coalesce(timezone, 'America/Chicago'))::date
     ORDER BY store_id
$$;

-- Make the figures of the local days that are over by `settled` and that later polls do not change, of up to
-- `max_stores` stores that lack them; returns of how many. Days that later polls may change are computed when they are
-- asked for. imports_lock: held meanwhile, so that no import changes these days.
CREATE OR REPLACE FUNCTION make_recent_days(
    max_stores integer, coverage interval, imports_lock bigint, settled timestamptz, known timestamptz
)
RETURNS integer
LANGUAGE plpgsql
AS $$
DECLARE
    due record;
    made_until timestamptz;
    total integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(imports_lock);
    FOR due IN
        SELECT store.store_id,
               local.zone,
               (settled AT TIME ZONE local.zone)::date AS today,
               midnight_before(settled, local.zone) AS midnight,
               coalesce(store.days_until, store.polls_since, midnight_before(store.first_polled_at, local.zone)) AS since
          FROM (SELECT to_make AS store_id FROM stores_with_days_to_make(settled) AS to_make LIMIT max_stores) AS wanted
          JOIN store ON store.store_id = wanted.store_id
         CROSS JOIN LATERAL (SELECT coalesce(store.timezone, 'America/Chicago') AS zone) AS local
    LOOP
        made_until := midnight_before(days_hold_until(due.store_id, due.midnight), due.zone);
        IF made_until > due.since THEN
            INSERT INTO store_recent_day (store_id, day, open_time, uptime, observed_time, incidents)
            SELECT due.store_id, days.day, days.open_time, days.uptime, days.observed_time, days.incidents
              FROM store_days(due.store_id, due.since, made_until, coverage, known) AS days;
            UPDATE store SET days_until = made_until, days_made_on = due.today WHERE store_id = due.store_id;
        ELSE
            UPDATE store SET days_made_on = due.today WHERE store_id = due.store_id;
        END IF;
        total := total + 1;
    END LOOP;
    RETURN total;
END
$$;

-- Forget the recent days of stores that a change at or after an instant may change; minus infinity: all of them.
-- changes: for each of the stores, the instant.
CREATE OR REPLACE FUNCTION forget_recent_days(of_stores text [], changes timestamptz []) RETURNS void
LANGUAGE sql
AS $$
    WITH cut AS (
        UPDATE store
           SET days_until = held.until, days_made_on = NULL
          FROM (
            SELECT changed.store_id,
                   midnight_before(
                       CASE WHEN isfinite(changed.at) THEN days_hold_until(changed.store_id, changed.at) ELSE changed.at END,
                       coalesce(named.timezone, 'America/Chicago')
                   ) AS until
              FROM unnest(of_stores, changes) AS changed (store_id, at)
              JOIN store AS named ON named.store_id = changed.store_id
          ) AS held
         WHERE store.store_id = held.store_id AND store.days_made_on IS NOT NULL
        RETURNING store.store_id, store.days_until, coalesce(store.timezone, 'America/Chicago') AS zone
    )
    DELETE FROM store_recent_day AS kept
     USING cut
     WHERE kept.store_id = cut.store_id
       AND kept.day >= coalesce((cut.days_until AT TIME ZONE cut.zone)::date, '-infinity')
$$;

-- The figures of each store for its local days from `first` to `last`, as far as they were made; the days that later
-- polls may change are computed. through: the last of these days that is counted, null if none is.
CREATE OR REPLACE FUNCTION fleet_days(first date, last date, coverage interval, known timestamptz)
RETURNS TABLE (
    store_id text, open_time interval, uptime interval, observed_time interval, incidents bigint, through date
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT store.store_id,
           coalesce(kept.open_time, '0') + coalesce(live.open_time, '0'),
           coalesce(kept.uptime, '0') + coalesce(live.uptime, '0'),
           coalesce(kept.observed_time, '0') + coalesce(live.observed_time, '0'),
           coalesce(kept.incidents, 0) + coalesce(live.incidents, 0),
           least(last, store.days_made_on - 1)
      FROM store
     CROSS JOIN LATERAL (SELECT coalesce(store.timezone, 'America/Chicago') AS zone) AS local
      LEFT JOIN (
        SELECT day.store_id,
               sum(day.open_time) AS open_time,
               sum(day.uptime) AS uptime,
               sum(day.observed_time) AS observed_time,
               sum(day.incidents) AS incidents
          FROM (
            SELECT * FROM store_day WHERE store_day.day BETWEEN first AND last
            UNION ALL
            SELECT * FROM store_recent_day WHERE store_recent_day.day BETWEEN first AND last
          ) AS day
         GROUP BY day.store_id
      ) AS kept ON kept.store_id = store.store_id
      LEFT JOIN LATERAL (
        SELECT sum(days.open_time) AS open_time,
               sum(days.uptime) AS uptime,
               sum(days.observed_time) AS observed_time,
               sum(days.incidents) AS incidents
          FROM (
            SELECT greatest(
                       opening_instant(first::timestamp, local.zone),
                       coalesce(
                           store.days_until, store.polls_since, midnight_before(store.first_polled_at, local.zone)
                       )
                   ) AS since,
                   least(
                       opening_instant((last + 1)::timestamp, local.zone),
                       opening_instant(store.days_made_on::timestamp, local.zone)
                   ) AS until
          ) AS span
         CROSS JOIN LATERAL store_days(store.store_id, span.since, span.until, coverage, known) AS days
         WHERE span.since < span.until
      ) AS live ON store.days_until IS NULL
                   OR store.days_until < opening_instant(store.days_made_on::timestamp, local.zone)
     WHERE store.first_polled_at <= known AND store.days_made_on IS NOT NULL
$$;
