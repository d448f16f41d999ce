-- release 1
-- The figures of stores for each of their local days: how they are computed, kept, and made again; and the deletion of
-- old polls.

-- The figures of stores for each of their local days, of the part of them between two instants, by their polls up to
-- `known`: open time, the part of it in which the store was up, the part that a poll covers, the uptime in that part,
-- and the incidents that began on the day.
--
-- An incident begins where the store goes down after it was up in the window, and, if the window begins with downtime,
-- there if the store was up when it was last open, or if its history begins no earlier. down_before stands for the open
-- time of which the polls were deleted.
CREATE OR REPLACE FUNCTION stores_days(
    of_stores text [], since timestamptz, until timestamptz, coverage interval, known timestamptz
)
RETURNS TABLE (
    store_id text, day date, open_time interval, uptime interval, observed_time interval, observed_uptime interval,
    incidents integer
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    WITH history AS MATERIALIZED (
        SELECT whole.store_id, whole.open, whole.up, whole.open - whole.up AS down
          FROM store_histories(of_stores, since, until, known) AS whole
    ), begins_down AS MATERIALIZED (
        SELECT history.store_id, history_begins(history.store_id, known) AS earliest
          FROM history
         WHERE NOT isempty(history.down) AND NOT coalesce(lower(history.up) < lower(history.down), FALSE)
    ), before AS MATERIALIZED (
        SELECT whole.store_id,
               whole.open * tstzmultirange(tstzrange(begins_down.earliest, NULL)) AS open,
               upper(whole.up) AS up_until
          FROM begins_down
          JOIN store_histories(
                   array(SELECT begins_down.store_id FROM begins_down WHERE begins_down.earliest < since),
                   since - INTERVAL '168 hours',
                   since,
                   known
               ) AS whole
            ON whole.store_id = begins_down.store_id
    ), first_incident AS MATERIALIZED (
        SELECT history.store_id,
               CASE WHEN begins_down.earliest >= since
                         OR (isempty(before.open) AND begins_down.earliest >= since - INTERVAL '168 hours')
                        THEN lower(history.down * tstzmultirange(tstzrange(begins_down.earliest, lower(history.up))))
                    WHEN isempty(before.open) THEN (
                        SELECT min(found.started_at)
                          FROM store_incidents(
                                   history.store_id,
                                   lower(history.down),
                                   coalesce(lower(history.up), upper(history.down)),
                                   known
                               ) AS found
                         WHERE found.started_at >= lower(history.down)
                    )
                    WHEN before.up_until = upper(before.open) THEN lower(history.down)
               END AS started_at
          FROM begins_down
          JOIN history ON history.store_id = begins_down.store_id
          LEFT JOIN before ON before.store_id = begins_down.store_id
    ), measured AS MATERIALIZED (
        SELECT history.store_id,
               zone_of(store.timezone) AS zone,
               history.open,
               history.up,
               unseen.parts AS unseen,
               history.up - unseen.parts AS observed_up,
               CASE WHEN isempty(history.down) THEN '{}'
                    ELSE array(
                        SELECT lower(part.span)
                          FROM (
                            SELECT each.span, each.is_up, lag(each.is_up) OVER (ORDER BY lower(each.span)) AS was_up
                              FROM (
                                SELECT unnest(history.up) AS span, TRUE AS is_up
                                UNION ALL
                                SELECT unnest(history.down), FALSE
                              ) AS each
                          ) AS part
                         WHERE part.was_up AND NOT part.is_up
                    )
               END
               || CASE WHEN first_incident.started_at IS NULL
                            OR (
                                store.down_before
                                AND first_incident.started_at >= store.polls_since
                                AND NOT EXISTS (
                                    SELECT
                                      FROM open_time(
                                               ARRAY[store.store_id], store.polls_since, first_incident.started_at
                                           ) AS hours
                                     WHERE NOT isempty(
                                           hours.open
                                           * tstzmultirange(tstzrange(store.polls_since, first_incident.started_at))
                                     )
                                )
                            ) THEN '{}'
                       ELSE ARRAY[first_incident.started_at]
                  END AS of_incidents
          FROM history
          JOIN store ON store.store_id = history.store_id
          LEFT JOIN first_incident ON first_incident.store_id = history.store_id
         CROSS JOIN LATERAL (
            SELECT unobserved(history.store_id, history.open, coverage, known) AS parts OFFSET 0
          ) AS unseen
    ), local_day AS MATERIALIZED (
        SELECT zones.zone, each.day, tstzmultirange(each.span) AS span
          FROM (SELECT DISTINCT measured.zone FROM measured) AS zones
         CROSS JOIN LATERAL (
            SELECT (since AT TIME ZONE zones.zone)::date AS first,
                   ((until - INTERVAL '1 microsecond') AT TIME ZONE zones.zone)::date AS last
          ) AS days
         CROSS JOIN LATERAL (
            SELECT date.day,
                   tstzrange(
                       opening_instant(date.day::timestamp, zones.zone),
                       opening_instant((date.day + 1)::timestamp, zones.zone)
                   ) * tstzrange(since, until) AS span
              FROM unnest(array(SELECT days.first + generate_series(0, days.last - days.first))) AS date (day)
          ) AS each
         WHERE NOT isempty(each.span)
    )
    SELECT measured.store_id,
           local_day.day,
           opened.length,
           opened.up,
           opened.length - opened.unseen,
           CASE WHEN opened.unseen = INTERVAL '0' THEN opened.up
                ELSE (
                    SELECT coalesce(sum(upper(part) - lower(part)), '0')
                      FROM unnest(measured.observed_up * local_day.span) AS part
                )
           END,
           (SELECT count(*)::integer FROM unnest(measured.of_incidents) AS start WHERE local_day.span @> start)
      FROM measured
      JOIN local_day ON local_day.zone = measured.zone
     CROSS JOIN LATERAL (
        SELECT (
            SELECT coalesce(sum(upper(part) - lower(part)), '0')
              FROM unnest(measured.open * local_day.span) AS part
        ) AS length, (
            SELECT coalesce(sum(upper(part) - lower(part)), '0')
              FROM unnest(measured.up * local_day.span) AS part
        ) AS up, (
            SELECT coalesce(sum(upper(part) - lower(part)), '0')
              FROM unnest(measured.unseen * local_day.span) AS part
        ) AS unseen
        OFFSET 0
      ) AS opened
$$;

-- The same of one store.
CREATE OR REPLACE FUNCTION store_days(
    of_store text, since timestamptz, until timestamptz, coverage interval, known timestamptz
)
RETURNS TABLE (
    day date, open_time interval, uptime interval, observed_time interval, observed_uptime interval, incidents integer
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT days.day, days.open_time, days.uptime, days.observed_time, days.observed_uptime, days.incidents
      FROM stores_days(ARRAY[of_store], since, until, coverage, known) AS days
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
         CROSS JOIN LATERAL (SELECT zone_of(store.timezone) AS zone) AS local
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
        INSERT INTO store_day AS kept (
            store_id, day, open_time, uptime, observed_time, observed_uptime, incidents
        )
        SELECT due.store_id,
               days.day,
               days.open_time,
               days.uptime,
               days.observed_time,
               days.observed_uptime,
               days.incidents
          FROM store_days(due.store_id, due.since, due.until, coverage, at_time) AS days
        ON CONFLICT (store_id, day) DO UPDATE -- the time zone has changed: the rest of a day
           SET open_time = kept.open_time + excluded.open_time,
               uptime = kept.uptime + excluded.uptime,
               observed_time = kept.observed_time + excluded.observed_time,
               observed_uptime = kept.observed_uptime + excluded.observed_uptime,
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

-- The first instant whose figures a poll at or after `changed_at` can change. Figures before it are final. It is
-- `changed_at` itself if a poll that counts precedes it in the same open interval, or if the store is closed then; else
-- the opening before it. Minus infinity if no poll before it counts, since the first poll that does decides what was
-- before.
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

-- Until when polls at or after a local midnight can still change figures of days before it, as days_hold_until tells:
-- up to the closing after that midnight; infinity if no poll before it counts; null if they cannot.
CREATE OR REPLACE FUNCTION days_change_until(of_store text, midnight timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT CASE WHEN held.until = midnight THEN NULL
                WHEN NOT isfinite(held.until) THEN 'infinity'
                ELSE (
                    SELECT CASE WHEN upper(span) < midnight + INTERVAL '360 hours' THEN upper(span) ELSE 'infinity' END
                      FROM open_time(ARRAY[of_store], midnight, midnight + INTERVAL '360 hours') AS hours
                     CROSS JOIN LATERAL unnest(hours.open) AS span
                     WHERE span @> midnight
                )
           END
      FROM (SELECT days_hold_until(of_store, midnight) AS until OFFSET 0) AS held
$$;

-- The same of stores. days_change_until is called only for those for which no poll of the last eight days rules a
-- change out.
CREATE OR REPLACE FUNCTION stores_days_change_until(of_stores text [], midnight timestamptz)
RETURNS TABLE (store_id text, until timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT hours.store_id,
           CASE WHEN EXISTS (
                    SELECT
                      FROM store_poll AS poll
                     WHERE poll.store_id = hours.store_id
                       AND poll.polled_at < midnight
                       AND poll.polled_at >= coalesce(
                           lower(opening.span),
                           CASE WHEN lower_inf(hours.open) THEN '-infinity' ELSE midnight - INTERVAL '192 hours' END
                       )
                       AND poll.polled_at <@ hours.open
                ) THEN NULL
                ELSE days_change_until(hours.store_id, midnight)
           END
      FROM open_time(of_stores, midnight - INTERVAL '192 hours', midnight + INTERVAL '1 microsecond') AS hours
      LEFT JOIN LATERAL (
        SELECT span FROM unnest(hours.open) AS span WHERE span @> midnight
      ) AS opening ON TRUE
$$;

-- The stores of which days are over by `settled` and were not made yet; those of a time zone are together.
CREATE OR REPLACE FUNCTION stores_with_days_to_make(settled timestamptz) RETURNS SETOF text
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT store_id
      FROM store
     WHERE first_polled_at <= settled
       AND days_made_on IS DISTINCT FROM (settled AT TIME ZONE zone_of(timezone))::date
     ORDER BY timezone, store_id
$$;

-- Make the figures of the local days that are over by `settled`, of up to `max_stores` stores that lack them; returns
-- of how many. Later polls may still change some of these days: days_change_until says up to when. Of a store with
-- polls after `known` only the days are made that no poll changes: the others are computed when they are asked for.
-- imports_lock: held meanwhile, so that no import changes these days.
CREATE OR REPLACE FUNCTION make_recent_days(
    max_stores integer, coverage interval, imports_lock bigint, settled timestamptz, known timestamptz
)
RETURNS integer
LANGUAGE plpgsql
AS $$
DECLARE
    part record;
    total integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(imports_lock);
    FOR part IN
        SELECT due.today,
               due.since,
               due.until,
               due.change_until,
               array_agg(due.store_id) AS stores
          FROM (
            SELECT store.store_id,
                   local.today,
                   coalesce(store.days_until, store.polls_since, midnight_before(store.first_polled_at, local.zone))
                       AS since,
                   CASE WHEN store.last_polled_at <= known THEN local.midnight
                        ELSE midnight_before(days_hold_until(store.store_id, local.midnight), local.zone)
                   END AS until,
                   CASE WHEN store.last_polled_at <= known THEN held.until END AS change_until
              FROM (
                SELECT zone,
                       (settled AT TIME ZONE zone)::date AS today,
                       midnight_before(settled, zone) AS midnight,
                       stores
                  FROM (
                    SELECT zone_of(store.timezone) AS zone, array_agg(store.store_id) AS stores
                      FROM (
                        SELECT to_make AS store_id FROM stores_with_days_to_make(settled) AS to_make LIMIT max_stores
                      ) AS wanted
                      JOIN store ON store.store_id = wanted.store_id
                     GROUP BY 1
                  ) AS of_zone
              ) AS local
             CROSS JOIN LATERAL stores_days_change_until(local.stores, local.midnight) AS held
              JOIN store ON store.store_id = held.store_id
          ) AS due
         GROUP BY due.today, due.since, due.until, due.change_until
    LOOP
        IF part.until > part.since THEN
            INSERT INTO store_recent_day (
                store_id, day, open_time, uptime, observed_time, observed_uptime, incidents
            )
            SELECT days.store_id,
                   days.day,
                   days.open_time,
                   days.uptime,
                   days.observed_time,
                   days.observed_uptime,
                   days.incidents
              FROM stores_days(part.stores, part.since, part.until, coverage, known) AS days
             ORDER BY days.store_id, days.day;
        END IF;
        UPDATE store
           SET days_until = CASE WHEN part.until > part.since THEN part.until ELSE days_until END,
               days_made_on = part.today,
               days_change_until = part.change_until
         WHERE store_id = ANY(part.stores);
        total := total + cardinality(part.stores);
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
                       zone_of(named.timezone)
                   ) AS until
              FROM unnest(of_stores, changes) AS changed (store_id, at)
              JOIN store AS named ON named.store_id = changed.store_id
          ) AS held
         WHERE store.store_id = held.store_id
           AND (store.days_until IS NOT NULL OR store.days_made_on IS NOT NULL)
           AND (held.until IS NULL OR held.until < store.days_until)
        RETURNING store.store_id, store.days_until, zone_of(store.timezone) AS zone
    )
    DELETE FROM store_recent_day AS kept
     USING cut
     WHERE kept.store_id = cut.store_id
       AND kept.day >= coalesce((cut.days_until AT TIME ZONE cut.zone)::date, '-infinity')
$$;

-- The figures of each store for its local days from `first` to `last`, as far as they were made; the days that were
-- not, since a poll after `known` may change them, are computed. through: the last of these days that is counted, null
-- if none is.
CREATE OR REPLACE FUNCTION fleet_days(first date, last date, coverage interval, known timestamptz)
RETURNS TABLE (
    store_id text, open_time interval, uptime interval, observed_time interval, incidents bigint, through date
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    WITH incomplete AS MATERIALIZED (
        SELECT store.store_id,
               zone_of(store.timezone) AS zone,
               store.days_made_on,
               coalesce(
                   store.days_until,
                   store.polls_since,
                   midnight_before(store.first_polled_at, zone_of(store.timezone))
               ) AS made_until
          FROM store
         WHERE store.first_polled_at <= known
           AND (
               store.days_until IS NULL
               OR (store.days_until AT TIME ZONE zone_of(store.timezone))::date < store.days_made_on
           )
    )
    SELECT store.store_id,
           coalesce(kept.open_time, '0') + coalesce(live.open_time, '0'),
           coalesce(kept.uptime, '0') + coalesce(live.uptime, '0'),
           coalesce(kept.observed_time, '0') + coalesce(live.observed_time, '0'),
           coalesce(kept.incidents, 0) + coalesce(live.incidents, 0),
           least(last, store.days_made_on - 1)
      FROM store
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
      LEFT JOIN (
        SELECT incomplete.store_id,
               sum(days.open_time) AS open_time,
               sum(days.uptime) AS uptime,
               sum(days.observed_time) AS observed_time,
               sum(days.incidents) AS incidents
          FROM incomplete
         CROSS JOIN LATERAL (
            SELECT greatest(opening_instant(first::timestamp, incomplete.zone), incomplete.made_until) AS since,
                   least(
                       opening_instant((last + 1)::timestamp, incomplete.zone),
                       opening_instant(incomplete.days_made_on::timestamp, incomplete.zone)
                   ) AS until
          ) AS span
         CROSS JOIN LATERAL store_days(incomplete.store_id, span.since, span.until, coverage, known) AS days
         WHERE incomplete.days_made_on IS NOT NULL AND span.since < span.until
         GROUP BY incomplete.store_id
      ) AS live ON live.store_id = store.store_id
     WHERE store.first_polled_at <= known AND store.days_made_on IS NOT NULL
$$;
