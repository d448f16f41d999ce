-- The schema after all migrations, for reading. Not for creating a database: its data is missing.
-- Written by `make schema`; a test compares it with the migrations.

SET check_function_bodies = off; -- functions stand before the tables that they read

CREATE FUNCTION add_store_poll_key() RETURNS void
    LANGUAGE sql
    AS $$
    ALTER TABLE store_poll ADD CONSTRAINT store_poll_pkey PRIMARY KEY (store_id, polled_at) INCLUDE (active);
$$;

CREATE FUNCTION closed_time(of_stores text[]) RETURNS TABLE(store_id text, closed tstzmultirange)
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

CREATE FUNCTION cluster_workers() RETURNS TABLE(worker text, is_reachable boolean)
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF to_regclass('pg_catalog.pg_dist_node') IS NOT NULL THEN
        RETURN QUERY
        SELECT nodename || ':' || nodeport, citus_check_connection_to_node(nodename, nodeport)
          FROM pg_dist_node
         WHERE isactive
           AND groupid <> 0
         ORDER BY nodename, nodeport;
    END IF;
END
$$;

CREATE FUNCTION collector_gaps(since timestamp with time zone, until timestamp with time zone, min_length interval, known timestamp with time zone) RETURNS TABLE(started_at timestamp with time zone, ended_at timestamp with time zone, ongoing boolean)
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

CREATE FUNCTION days_change_until(of_store text, midnight timestamp with time zone) RETURNS timestamp with time zone
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

CREATE FUNCTION days_hold_until(of_store text, changed_at timestamp with time zone) RETURNS timestamp with time zone
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

CREATE FUNCTION fleet_days(first date, last date, coverage interval, known timestamp with time zone) RETURNS TABLE(store_id text, open_time interval, uptime interval, observed_time interval, incidents bigint, through date)
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

CREATE FUNCTION forget_recent_days(of_stores text[], changes timestamp with time zone[]) RETURNS void
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

CREATE FUNCTION history_begins(of_store text, known timestamp with time zone) RETURNS timestamp with time zone
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

CREATE FUNCTION hours_change(of_store text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT EXISTS (SELECT FROM store_closure WHERE store_id = of_store)
        OR EXISTS (SELECT FROM store_hours WHERE store_id = of_store AND valid_from > '-infinity')
$$;

CREATE FUNCTION is_distributed(of_table text) RETURNS boolean
    LANGUAGE plpgsql STABLE
    AS $$
BEGIN
    IF to_regclass('pg_catalog.pg_dist_partition') IS NULL THEN
        RETURN false;
    END IF;
    RETURN EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = of_table::regclass AND partmethod = 'h');
END
$$;

CREATE FUNCTION is_down_by_runs(of_store text, moment timestamp with time zone, length integer) RETURNS boolean
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

CREATE FUNCTION is_stale(of_store text, polled_at timestamp with time zone, open tstzmultirange, moment timestamp with time zone) RETURNS boolean
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

CREATE FUNCTION last_counted_poll(of_store text, moment timestamp with time zone) RETURNS timestamp with time zone
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

CREATE FUNCTION length_of(parts tstzmultirange) RETURNS interval
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT coalesce(sum(upper(part) - lower(part)), '0') FROM unnest(parts) AS part
$$;

CREATE FUNCTION make_recent_days(max_stores integer, coverage interval, imports_lock bigint, settled timestamp with time zone, known timestamp with time zone) RETURNS integer
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

CREATE FUNCTION midnight_before(moment timestamp with time zone, zone text) RETURNS timestamp with time zone
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE WHEN isfinite(moment) THEN opening_instant(date_trunc('day', moment AT TIME ZONE zone), zone) END
$$;

CREATE FUNCTION newest_poll(known timestamp with time zone) RETURNS timestamp with time zone
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

CREATE FUNCTION next_counted_poll(of_store text, moment timestamp with time zone, known timestamp with time zone) RETURNS timestamp with time zone
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

CREATE FUNCTION open_time(of_stores text[], since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(store_id text, open tstzmultirange)
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

CREATE FUNCTION open_time_since(of_store text, found timestamp with time zone, moment timestamp with time zone) RETURNS tstzmultirange
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

CREATE FUNCTION open_without_poll(of_store text, polled_at timestamp with time zone, moment timestamp with time zone) RETURNS interval
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT length_of(hours.open * tstzmultirange(tstzrange(polled_at, moment)))
      FROM open_time(ARRAY[of_store], polled_at, moment) AS hours
$$;

CREATE FUNCTION opening_instant(wall timestamp without time zone, zone text) RETURNS timestamp with time zone
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE WHEN early AT TIME ZONE zone = wall THEN early ELSE late END
      FROM (
        SELECT late, late - INTERVAL '3 hours' + (wall - (late - INTERVAL '3 hours') AT TIME ZONE zone) AS early
          FROM (SELECT wall AT TIME ZONE zone AS late) AS second_pass
      ) AS passes
$$;

CREATE FUNCTION report_bands(of_report uuid, period text) RETURNS TABLE(store_id text, up double precision, open double precision, band text)
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT measured.store_id,
           measured.up,
           measured.open,
           CASE WHEN measured.open = 0 THEN 'not_open'
                WHEN NOT measured.is_observed THEN 'no_data'
                WHEN measured.up = measured.open THEN '100'
                WHEN measured.up * 1000 >= measured.open * 999 THEN '99.9'
                WHEN measured.up * 100 >= measured.open * 99 THEN '99'
                WHEN measured.up * 100 >= measured.open * 95 THEN '95'
                WHEN measured.up * 100 >= measured.open * 90 THEN '90'
                ELSE '0'
           END
      FROM (
        SELECT figures.store_id,
               round(date_part('epoch', times.up) * 1000000) AS up,
               round(date_part('epoch', times.up + times.down) * 1000000) AS open,
               coalesce(figures.observed_until > report.as_of - span.length, FALSE) AS is_observed
          FROM uptime_report AS report
         CROSS JOIN (
            SELECT CASE period WHEN 'hour' THEN INTERVAL '1 hour' WHEN 'day' THEN INTERVAL '24 hours'
                               ELSE INTERVAL '168 hours' END AS length
          ) AS span
          JOIN uptime_report_row AS figures ON figures.report_id = report.report_id
         CROSS JOIN LATERAL (
            SELECT CASE period WHEN 'hour' THEN figures.uptime_last_hour WHEN 'day' THEN figures.uptime_last_day
                               ELSE figures.uptime_last_week END AS up,
                   CASE period WHEN 'hour' THEN figures.downtime_last_hour WHEN 'day' THEN figures.downtime_last_day
                               ELSE figures.downtime_last_week END AS down
          ) AS times
         WHERE report.report_id = of_report
      ) AS measured
$$;

CREATE FUNCTION roll_up_polls(keep interval, max_rows bigint, coverage interval, imports_lock bigint, at_time timestamp with time zone) RETURNS bigint
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

CREATE FUNCTION row_counts() RETURNS TABLE(table_name text, number_of_rows bigint)
    LANGUAGE plpgsql
    AS $_$
BEGIN
    IF to_regclass('pg_catalog.pg_dist_node') IS NULL THEN
        RETURN QUERY
        SELECT relname::text, n_live_tup FROM pg_stat_user_tables WHERE schemaname = current_schema();
        RETURN;
    END IF;
    RETURN QUERY
    SELECT relname::text, coalesce(in_parts.rows, n_live_tup)
      FROM pg_stat_user_tables
      LEFT JOIN (
          SELECT logicalrelid, sum(part.rows::bigint)::bigint AS rows
            FROM run_command_on_workers($command$
                     SELECT json_object_agg(shardid, n_live_tup)
                       FROM pg_dist_shard
                       JOIN pg_stat_user_tables
                         ON pg_stat_user_tables.relid = to_regclass(shard_name(logicalrelid, shardid))
                 $command$) AS answer
           CROSS JOIN json_each_text(answer.result::json) AS part (shard, rows)
            JOIN pg_dist_shard ON pg_dist_shard.shardid = part.shard::bigint
            JOIN pg_dist_partition USING (logicalrelid)
           WHERE answer.success
             AND partmethod = 'h'
           GROUP BY logicalrelid
      ) AS in_parts ON in_parts.logicalrelid = relid
     WHERE schemaname = current_schema()
       AND relation_is_a_known_shard(relid) IS NOT TRUE;
END
$_$;

CREATE FUNCTION state_since(of_store text, state text, polled_at timestamp with time zone, moment timestamp with time zone) RETURNS timestamp with time zone
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

CREATE FUNCTION status_since(of_store text, moment timestamp with time zone) RETURNS timestamp with time zone
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

CREATE FUNCTION store_days(of_store text, since timestamp with time zone, until timestamp with time zone, coverage interval, known timestamp with time zone) RETURNS TABLE(day date, open_time interval, uptime interval, observed_time interval, observed_uptime interval, incidents integer)
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT days.day, days.open_time, days.uptime, days.observed_time, days.observed_uptime, days.incidents
      FROM stores_days(ARRAY[of_store], since, until, coverage, known) AS days
$$;

CREATE FUNCTION store_histories(of_stores text[], since timestamp with time zone, until timestamp with time zone, known timestamp with time zone) RETURNS TABLE(store_id text, open tstzmultirange, up tstzmultirange)
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

CREATE FUNCTION store_history(of_store text, since timestamp with time zone, until timestamp with time zone, known timestamp with time zone) RETURNS TABLE(open tstzmultirange, up tstzmultirange)
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT history.open, history.up FROM store_histories(ARRAY[of_store], since, until, known) AS history
$$;

CREATE FUNCTION store_incidents(of_store text, since timestamp with time zone, until timestamp with time zone, known timestamp with time zone) RETURNS TABLE(started_at timestamp with time zone, ended_at timestamp with time zone, ongoing boolean, down tstzmultirange)
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

CREATE FUNCTION store_shifts(of_stores text[], since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(store_id text, has_hours boolean, whole_day integer, opens_at timestamp with time zone, closes_at timestamp with time zone)
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

CREATE FUNCTION store_states(of_stores text[], moment timestamp with time zone) RETURNS TABLE(store_id text, state text, polled_at timestamp with time zone)
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

CREATE FUNCTION store_status(of_stores text[], since timestamp with time zone, until timestamp with time zone, known timestamp with time zone) RETURNS TABLE(store_id text, open tstzmultirange, up tstzmultirange, counted boolean)
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

CREATE FUNCTION store_weeks(of_stores text[], as_of timestamp with time zone, coverage interval, known timestamp with time zone) RETURNS TABLE(store_id text, open double precision[], up double precision[], observed double precision[], hour_open double precision, hour_up double precision, hour_observed double precision, incident_start timestamp with time zone, incident_end timestamp with time zone, incident_down double precision, is_cut boolean, is_ongoing boolean)
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    WITH week AS MATERIALIZED (
        SELECT each.store_id,
               each.open,
               each.up,
               each.open - unobserved(each.store_id, each.open, coverage, known) AS observed
          FROM store_status(of_stores, as_of - INTERVAL '168 hours', as_of, least(as_of, known)) AS each
    ), status AS MATERIALIZED (
        SELECT each.store_id, each.up, each.open - each.up AS down
          FROM (
            SELECT least(known, greatest(as_of, newest_poll(known)) + INTERVAL '48 hours') AS at OFFSET 0
          ) AS ends
         CROSS JOIN LATERAL store_status(of_stores, as_of - INTERVAL '168 hours', ends.at, ends.at) AS each
    ), incident AS MATERIALIZED (
        SELECT run.store_id,
               lower(run.parts) AS started_at,
               upper(run.parts) AS ended_at,
               extract(epoch FROM length_of(run.parts))::float8 AS down,
               run.up_before IS NULL AND coalesce(run.began < as_of - INTERVAL '168 hours', TRUE) AS is_cut,
               run.is_ongoing
          FROM (
            SELECT status.store_id,
                   status.down * tstzmultirange(tstzrange(greatest(turn.up_before, history.began), NULL)) AS parts,
                   turn.up_before,
                   history.began,
                   turn.is_ongoing
              FROM status
              JOIN store ON store.store_id = status.store_id
             CROSS JOIN LATERAL (
                SELECT lower(part) AS at FROM unnest(status.down) AS part ORDER BY lower(part) DESC LIMIT 1
              ) AS last_down
             CROSS JOIN LATERAL (
                SELECT max(upper(part)) FILTER (WHERE upper(part) <= last_down.at) AS up_before,
                       coalesce(NOT bool_or(lower(part) > last_down.at), TRUE) AS is_ongoing
                  FROM unnest(status.up) AS part
              ) AS turn
             CROSS JOIN LATERAL (
                SELECT CASE WHEN turn.up_before IS NULL AND store.first_polled_at > as_of - INTERVAL '168 hours'
                                THEN history_begins(store.store_id, known)
                       END AS began
              ) AS history
          ) AS run
         WHERE NOT isempty(run.parts)
    )
    SELECT week.store_id,
           parts.open,
           parts.up,
           parts.observed,
           extract(epoch FROM length_of(week.open * last_hour.span))::float8,
           extract(epoch FROM length_of(week.up * last_hour.span))::float8,
           extract(epoch FROM length_of(week.observed * last_hour.span))::float8,
           incident.started_at,
           incident.ended_at,
           incident.down,
           incident.is_cut,
           incident.is_ongoing
      FROM week
     CROSS JOIN LATERAL (
        SELECT tstzmultirange(tstzrange(as_of - INTERVAL '1 hour', as_of)) AS span
      ) AS last_hour
     CROSS JOIN LATERAL (
        SELECT array_agg(extract(epoch FROM length_of(week.open * day.span))::float8 ORDER BY day.number) AS open,
               array_agg(extract(epoch FROM length_of(week.up * day.span))::float8 ORDER BY day.number) AS up,
               array_agg(
                   extract(epoch FROM length_of(week.observed * day.span))::float8 ORDER BY day.number
               ) AS observed
          FROM (
            SELECT number,
                   tstzmultirange(
                       tstzrange(
                           as_of - (7 - number) * INTERVAL '24 hours', as_of - (6 - number) * INTERVAL '24 hours'
                       )
                   ) AS span
              FROM generate_series(0, 6) AS number
          ) AS day
      ) AS parts
      LEFT JOIN incident ON incident.store_id = week.store_id
$$;

CREATE FUNCTION stores_days(of_stores text[], since timestamp with time zone, until timestamp with time zone, coverage interval, known timestamp with time zone) RETURNS TABLE(store_id text, day date, open_time interval, uptime interval, observed_time interval, observed_uptime interval, incidents integer)
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

CREATE FUNCTION stores_days_change_until(of_stores text[], midnight timestamp with time zone) RETURNS TABLE(store_id text, until timestamp with time zone)
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

CREATE FUNCTION stores_with_days_to_make(settled timestamp with time zone) RETURNS SETOF text
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT store_id
      FROM store
     WHERE first_polled_at <= settled
       AND days_made_on IS DISTINCT FROM (settled AT TIME ZONE zone_of(timezone))::date
     ORDER BY timezone, store_id
$$;

CREATE FUNCTION table_sizes() RETURNS TABLE(table_name text, number_of_bytes bigint)
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF to_regclass('pg_catalog.pg_dist_partition') IS NULL THEN
        RETURN QUERY
        SELECT relname::text, pg_total_relation_size(relid)
          FROM pg_stat_user_tables
         WHERE schemaname = current_schema();
        RETURN;
    END IF;
    RETURN QUERY
    SELECT relname::text,
           CASE WHEN logicalrelid IS NULL THEN pg_total_relation_size(relid)
                ELSE citus_total_relation_size(logicalrelid, fail_on_error => false)
           END
      FROM pg_stat_user_tables
      LEFT JOIN pg_dist_partition ON logicalrelid = relid
     WHERE schemaname = current_schema()
       AND relation_is_a_known_shard(relid) IS NOT TRUE;
END
$$;

CREATE FUNCTION unobserved(of_store text, parts tstzmultirange, coverage interval, known timestamp with time zone) RETURNS tstzmultirange
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT parts - coalesce(range_agg(tstzrange(poll.polled_at, poll.polled_at + coverage)), '{}')
      FROM store_poll AS poll
     WHERE poll.store_id = of_store
       AND poll.polled_at > lower(parts) - coverage
       AND poll.polled_at < upper(parts)
       AND poll.polled_at <= known
$$;

CREATE FUNCTION zone_of(named text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT coalesce(named, 'America/Chicago')
$$;

CREATE TABLE alert (
    id bigint NOT NULL,
    rule text NOT NULL COLLATE pg_catalog."C",
    subject text NOT NULL COLLATE pg_catalog."C",
    detail text NOT NULL,
    since timestamp with time zone NOT NULL,
    resolved_at timestamp with time zone,
    is_silent boolean NOT NULL,
    CONSTRAINT alert_check CHECK ((resolved_at >= since))
);

CREATE TABLE alert_announcement (
    rule text NOT NULL COLLATE pg_catalog."C",
    subject text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL,
    announced_at timestamp with time zone[] NOT NULL,
    CONSTRAINT alert_announcement_state_check CHECK ((state = ANY (ARRAY['firing'::text, 'resolved'::text])))
);

ALTER TABLE alert ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME alert_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE day_counter (
    hotel_id bigint NOT NULL,
    by_event_date boolean NOT NULL,
    day date NOT NULL,
    bookings integer NOT NULL,
    cancellations integer NOT NULL,
    CONSTRAINT day_counter_bookings_check CHECK ((bookings >= 0)),
    CONSTRAINT day_counter_cancellations_check CHECK ((cancellations >= 0))
)
WITH (fillfactor='80');

CREATE TABLE failed_login (
    login_key text NOT NULL,
    address text NOT NULL,
    failures integer NOT NULL,
    failed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    slowed_until timestamp with time zone
);

CREATE TABLE feed_cut_off (
    feed text NOT NULL COLLATE pg_catalog."C",
    event_timestamp timestamp with time zone NOT NULL,
    reason text NOT NULL,
    first_seen timestamp with time zone NOT NULL,
    last_seen timestamp with time zone NOT NULL
);

CREATE TABLE feed_difference (
    feed text NOT NULL COLLATE pg_catalog."C",
    event_id bigint NOT NULL,
    kind text NOT NULL,
    counted text NOT NULL,
    found text,
    first_found timestamp with time zone NOT NULL,
    last_found timestamp with time zone NOT NULL,
    applied_at timestamp with time zone,
    reason text,
    CONSTRAINT feed_difference_check CHECK (((kind = 'changed'::text) = (found IS NOT NULL))),
    CONSTRAINT feed_difference_check1 CHECK (((applied_at IS NULL) = (reason IS NULL))),
    CONSTRAINT feed_difference_kind_check CHECK ((kind = ANY (ARRAY['missing'::text, 'changed'::text])))
);

CREATE TABLE feed_progress (
    feed text NOT NULL COLLATE pg_catalog."C",
    feed_number smallint NOT NULL,
    watermark timestamp with time zone,
    recorded_through timestamp with time zone,
    data_through timestamp with time zone,
    window_seconds double precision DEFAULT 86400 NOT NULL,
    audited_through timestamp with time zone,
    audit_started_at timestamp with time zone,
    past_events bigint DEFAULT 0 NOT NULL,
    about_events bigint,
    first_read_at timestamp with time zone,
    wait_until timestamp with time zone,
    CONSTRAINT feed_progress_feed_check CHECK ((feed ~ '^[a-z][a-z0-9_-]{0,31}$'::text))
);

ALTER TABLE feed_progress ALTER COLUMN feed_number ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME feed_progress_feed_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE front_desk_order (
    table_id bigint NOT NULL,
    id bigint NOT NULL,
    callback_url text NOT NULL,
    table_type text NOT NULL,
    seats integer NOT NULL,
    price numeric(7,2) NOT NULL,
    name text,
    email text,
    phone text,
    guests integer,
    starts_at timestamp with time zone,
    minutes integer NOT NULL,
    ends_at timestamp with time zone GENERATED ALWAYS AS ((((starts_at AT TIME ZONE 'UTC'::text) + ((minutes)::double precision * '00:01:00'::interval)) AT TIME ZONE 'UTC'::text)) STORED,
    timezone text DEFAULT 'UTC'::text NOT NULL,
    day date GENERATED ALWAYS AS (((starts_at AT TIME ZONE timezone))::date) STORED,
    currency text,
    notes text,
    ordered_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    erased_at timestamp with time zone,
    provider_status text NOT NULL,
    decision text,
    decided_at timestamp with time zone,
    decided_by text,
    decision_number integer DEFAULT 0 NOT NULL,
    delivered boolean DEFAULT false NOT NULL,
    refusal_reason text,
    staff_reason text,
    provider_reason text,
    decline_reason text GENERATED ALWAYS AS (
CASE
    WHEN (provider_status = 'waiting'::text) THEN staff_reason
    ELSE provider_reason
END) STORED,
    mail_failure text,
    status text GENERATED ALWAYS AS (
CASE
    WHEN (provider_status <> 'waiting'::text) THEN provider_status
    WHEN (decision = 'confirm'::text) THEN 'confirmed'::text
    WHEN (decision = 'decline'::text) THEN 'declined'::text
    ELSE 'waiting'::text
END) STORED NOT NULL,
    changed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    was_confirmed boolean DEFAULT false NOT NULL,
    CONSTRAINT front_desk_order_check CHECK (((decision IS NULL) = (decided_at IS NULL))),
    CONSTRAINT front_desk_order_check1 CHECK (((decision IS NULL) = (decided_by IS NULL))),
    CONSTRAINT front_desk_order_check2 CHECK (((decision IS NOT NULL) OR (NOT delivered))),
    CONSTRAINT front_desk_order_check3 CHECK (((erased_at IS NULL) OR (COALESCE(name, email, phone, notes, staff_reason, provider_reason, mail_failure) IS NULL))),
    CONSTRAINT front_desk_order_decision_check CHECK ((decision = ANY (ARRAY['confirm'::text, 'decline'::text]))),
    CONSTRAINT front_desk_order_provider_status_check CHECK ((provider_status = ANY (ARRAY['waiting'::text, 'confirmed'::text, 'declined'::text, 'cancelled'::text, 'expired'::text]))),
    CONSTRAINT front_desk_order_starts_at_check CHECK (((starts_at >= '0001-01-01 00:00:00+00'::timestamp with time zone) AND (starts_at < '9999-01-01 00:00:00+00'::timestamp with time zone)))
);

CREATE TABLE hotel_profile (
    hotel_id bigint NOT NULL,
    name text,
    rooms integer,
    timezone text COLLATE pg_catalog."C",
    hidden boolean NOT NULL,
    CONSTRAINT hotel_profile_hotel_id_check CHECK ((hotel_id > 0)),
    CONSTRAINT hotel_profile_rooms_check CHECK ((rooms > 0))
);

CREATE TABLE hotel_summary (
    hotel_id bigint NOT NULL,
    timezone text NOT NULL COLLATE pg_catalog."C",
    events bigint NOT NULL,
    first_night date NOT NULL,
    last_night date NOT NULL,
    last_event_timestamp timestamp with time zone NOT NULL,
    first_event_date date NOT NULL,
    last_event_date date NOT NULL
);

CREATE TABLE idempotency_key (
    scope text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    answer bytea,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT idempotency_key_key_check CHECK (((length(key) >= 1) AND (length(key) <= 255)))
);

CREATE TABLE job (
    name text NOT NULL,
    interval_seconds double precision NOT NULL,
    owner text NOT NULL,
    epoch bigint NOT NULL,
    expires_at timestamp with time zone,
    due_at timestamp with time zone NOT NULL,
    last_started timestamp with time zone,
    last_finished timestamp with time zone,
    last_outcome text,
    last_error text,
    last_result jsonb DEFAULT '{}'::jsonb NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    CONSTRAINT job_last_outcome_check CHECK ((last_outcome = ANY (ARRAY['ok'::text, 'failed'::text])))
);

CREATE TABLE ledger_event (
    id bigint NOT NULL,
    hotel_id bigint NOT NULL,
    event_timestamp timestamp with time zone NOT NULL,
    night_of_stay date NOT NULL,
    status smallint NOT NULL,
    feed_number smallint NOT NULL,
    room_id text NOT NULL,
    CONSTRAINT ledger_event_hotel_id_check CHECK ((hotel_id > 0)),
    CONSTRAINT ledger_event_id_check CHECK ((id > 0)),
    CONSTRAINT ledger_event_status_check CHECK ((status = ANY (ARRAY[1, 2])))
);

CREATE TABLE migration (
    name text NOT NULL,
    checksum text NOT NULL,
    release integer NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT migration_release_check CHECK ((release > 0))
);

CREATE TABLE night_counter (
    hotel_id bigint NOT NULL,
    night_of_stay date NOT NULL,
    event_date date NOT NULL,
    bookings integer NOT NULL,
    cancellations integer NOT NULL,
    CONSTRAINT night_counter_bookings_check CHECK ((bookings >= 0)),
    CONSTRAINT night_counter_cancellations_check CHECK ((cancellations >= 0))
);

CREATE TABLE offer (
    product_id uuid NOT NULL,
    offer_id text NOT NULL,
    numeric_id boolean NOT NULL,
    price bigint NOT NULL,
    items_in_stock bigint NOT NULL,
    first_seen timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    last_seen timestamp with time zone,
    closed_at timestamp with time zone,
    CONSTRAINT offer_check CHECK (((last_seen IS NULL) = (closed_at IS NULL))),
    CONSTRAINT offer_items_in_stock_check CHECK ((items_in_stock >= 0)),
    CONSTRAINT offer_offer_id_check CHECK (((char_length(offer_id) >= 1) AND (char_length(offer_id) <= 255))),
    CONSTRAINT offer_price_check CHECK (((price >= 0) AND (price <= '1000000000000'::bigint)))
)
WITH (fillfactor='80');

CREATE TABLE offer_price_change (
    product_id uuid NOT NULL,
    offer_id text NOT NULL,
    at timestamp with time zone NOT NULL,
    price bigint,
    items_in_stock bigint NOT NULL,
    CONSTRAINT offer_price_change_items_in_stock_check CHECK ((items_in_stock >= 0)),
    CONSTRAINT offer_price_change_price_check CHECK ((price >= 0))
);

CREATE TABLE offers_token (
    service text NOT NULL,
    token text,
    obtained_at timestamp with time zone,
    renewal_owner text,
    renewal_expires_at timestamp with time zone,
    unused_tokens_in_a_row integer DEFAULT 0 NOT NULL,
    not_before timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    last_error text
);

CREATE TABLE outbox (
    id bigint NOT NULL,
    topic text NOT NULL,
    subject text NOT NULL,
    event text NOT NULL,
    payload jsonb NOT NULL,
    state text DEFAULT 'waiting'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    rejections integer DEFAULT 0 NOT NULL,
    due_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    sent_at timestamp with time zone,
    outcome jsonb,
    settled_at timestamp with time zone,
    last_error text,
    CONSTRAINT outbox_check CHECK (((state = 'waiting'::text) = (settled_at IS NULL))),
    CONSTRAINT outbox_check1 CHECK (((state <> 'sent'::text) OR (sent_at IS NOT NULL))),
    CONSTRAINT outbox_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'sent'::text, 'dead'::text])))
);

ALTER TABLE outbox ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME outbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE page_session (
    token_hash bytea NOT NULL,
    realm text NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT page_session_token_hash_check CHECK ((length(token_hash) = 32))
);

CREATE TABLE poll_span (
    span_start timestamp with time zone NOT NULL,
    first_polled_at timestamp with time zone NOT NULL,
    last_polled_at timestamp with time zone NOT NULL,
    CONSTRAINT poll_span_check CHECK ((span_start <= first_polled_at)),
    CONSTRAINT poll_span_check1 CHECK ((first_polled_at <= last_polled_at)),
    CONSTRAINT poll_span_check2 CHECK ((last_polled_at < (span_start + '00:05:00'::interval))),
    CONSTRAINT poll_span_span_start_check CHECK ((span_start = date_bin('00:05:00'::interval, span_start, '2000-01-01 00:00:00+00'::timestamp with time zone)))
);

CREATE TABLE product (
    product_id uuid NOT NULL,
    name text NOT NULL,
    description text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    name_key text GENERATED ALWAYS AS (regexp_replace(regexp_replace(replace(replace(replace(translate(casefold((regexp_replace(NORMALIZE(name, NFKD), '[\u0300-\u036f]'::text, ''::text, 'g'::text) COLLATE pg_unicode_fast)), 'łøđðı'::text, 'loddi'::text), 'æ'::text, 'ae'::text), 'œ'::text, 'oe'::text), 'þ'::text, 'th'::text), '[0-9]+'::text, '00000000000000000000\&'::text, 'g'::text), '[0-9]*([0-9]{20})'::text, '\1'::text, 'g'::text)) STORED NOT NULL COLLATE pg_catalog."C",
    CONSTRAINT product_description_check CHECK ((char_length(description) <= 5000)),
    CONSTRAINT product_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 200)))
);

CREATE TABLE product_mark (
    product_id uuid NOT NULL,
    below bigint,
    watched_since timestamp with time zone,
    CONSTRAINT product_mark_below_check CHECK (((below >= 1) AND (below <= '1000000000000'::bigint))),
    CONSTRAINT product_mark_check CHECK (((below IS NOT NULL) OR (watched_since IS NOT NULL)))
);

CREATE TABLE product_price_change (
    product_id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    price bigint,
    thinned boolean DEFAULT false NOT NULL,
    CONSTRAINT product_price_change_price_check CHECK ((price >= 0))
);

CREATE TABLE product_price_gap (
    product_id uuid NOT NULL,
    since timestamp with time zone NOT NULL,
    until timestamp with time zone NOT NULL,
    CONSTRAINT product_price_gap_check CHECK ((since < until))
);

CREATE TABLE product_refresh (
    product_id uuid NOT NULL,
    registered_at timestamp with time zone,
    attempted_at timestamp with time zone,
    due_at timestamp with time zone,
    failures integer DEFAULT 0 NOT NULL,
    last_success timestamp with time zone,
    last_error text,
    best_price bigint,
    week_price bigint,
    CONSTRAINT product_refresh_best_price_check CHECK ((best_price >= 0)),
    CONSTRAINT product_refresh_failures_check CHECK ((failures >= 0)),
    CONSTRAINT product_refresh_week_price_check CHECK ((week_price >= 0))
)
WITH (fillfactor='70');

CREATE TABLE quarantined_event (
    feed text NOT NULL COLLATE pg_catalog."C",
    fingerprint bytea NOT NULL,
    reason text NOT NULL,
    raw text NOT NULL,
    first_seen timestamp with time zone DEFAULT now() NOT NULL,
    last_seen timestamp with time zone DEFAULT now() NOT NULL,
    times bigint DEFAULT 1 NOT NULL
);

CREATE TABLE rate_limit (
    key bytea NOT NULL,
    policy text NOT NULL,
    full_at timestamp with time zone NOT NULL
);

CREATE TABLE store (
    store_id text NOT NULL COLLATE pg_catalog."C",
    timezone text COLLATE pg_catalog."C",
    first_polled_at timestamp with time zone,
    last_polled_at timestamp with time zone,
    polls_since timestamp with time zone,
    down_before boolean DEFAULT false NOT NULL,
    store_group text COLLATE pg_catalog."C",
    days_until timestamp with time zone,
    days_made_on date,
    days_change_until timestamp with time zone,
    CONSTRAINT store_check CHECK ((first_polled_at <= last_polled_at)),
    CONSTRAINT store_check1 CHECK (((first_polled_at IS NULL) = (last_polled_at IS NULL))),
    CONSTRAINT store_store_group_check CHECK (((length(store_group) >= 1) AND (length(store_group) <= 100))),
    CONSTRAINT store_store_id_check CHECK (((length(store_id) >= 1) AND (length(store_id) <= 100)))
);

CREATE TABLE store_closure (
    store_id text NOT NULL COLLATE pg_catalog."C",
    "position" integer NOT NULL,
    first_day date,
    last_day date,
    starts_at timestamp with time zone,
    ends_at timestamp with time zone,
    reason text NOT NULL,
    CONSTRAINT store_closure_check CHECK (((first_day IS NULL) <> (starts_at IS NULL))),
    CONSTRAINT store_closure_check1 CHECK (((first_day IS NULL) = (last_day IS NULL))),
    CONSTRAINT store_closure_check2 CHECK (((starts_at IS NULL) = (ends_at IS NULL))),
    CONSTRAINT store_closure_check3 CHECK ((first_day <= last_day)),
    CONSTRAINT store_closure_check4 CHECK ((starts_at < ends_at))
);

CREATE TABLE store_day (
    store_id text NOT NULL COLLATE pg_catalog."C",
    day date NOT NULL,
    open_time interval NOT NULL,
    uptime interval NOT NULL,
    observed_time interval NOT NULL,
    observed_uptime interval NOT NULL,
    incidents integer NOT NULL,
    CONSTRAINT store_day_check CHECK (((open_time >= uptime) AND (uptime >= '00:00:00'::interval))),
    CONSTRAINT store_day_check1 CHECK (((open_time >= observed_time) AND (observed_time >= '00:00:00'::interval))),
    CONSTRAINT store_day_check2 CHECK (((LEAST(uptime, observed_time) >= observed_uptime) AND (observed_uptime >= '00:00:00'::interval))),
    CONSTRAINT store_day_incidents_check CHECK ((incidents >= 0))
);

CREATE TABLE store_file_pull (
    kind text NOT NULL,
    url text NOT NULL,
    since timestamp with time zone,
    etag text,
    pulled_at timestamp with time zone NOT NULL,
    CONSTRAINT store_file_pull_kind_check CHECK ((kind = ANY (ARRAY['status'::text, 'business-hours'::text, 'timezones'::text])))
);

CREATE TABLE store_hours (
    store_id text NOT NULL COLLATE pg_catalog."C",
    weekday smallint NOT NULL,
    opens time without time zone NOT NULL,
    closes time without time zone NOT NULL,
    valid_from date DEFAULT '-infinity'::date NOT NULL,
    valid_until date DEFAULT 'infinity'::date NOT NULL,
    CONSTRAINT store_hours_check CHECK ((valid_from < valid_until)),
    CONSTRAINT store_hours_opens_check CHECK ((opens < '24:00:00'::time without time zone)),
    CONSTRAINT store_hours_weekday_check CHECK (((weekday >= 0) AND (weekday <= 6)))
);

CREATE TABLE store_import (
    import_id bigint NOT NULL,
    kind text NOT NULL,
    source text NOT NULL,
    made_by text NOT NULL,
    rows bigint NOT NULL,
    new bigint NOT NULL,
    changed boolean NOT NULL,
    rejected_total bigint NOT NULL,
    rejected jsonb NOT NULL,
    notices text[] NOT NULL,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT store_import_kind_check CHECK ((kind = ANY (ARRAY['status'::text, 'business-hours'::text, 'timezones'::text, 'closures'::text, 'group'::text, 'deleted-polls'::text]))),
    CONSTRAINT store_import_new_check CHECK ((new >= 0)),
    CONSTRAINT store_import_rejected_total_check CHECK ((rejected_total >= 0)),
    CONSTRAINT store_import_rows_check CHECK ((rows >= 0))
);

ALTER TABLE store_import ALTER COLUMN import_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME store_import_import_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE store_poll (
    store_id text NOT NULL COLLATE pg_catalog."C",
    polled_at timestamp with time zone NOT NULL,
    active boolean NOT NULL
)
WITH (autovacuum_vacuum_insert_scale_factor='0.02', autovacuum_analyze_scale_factor='0.02');

CREATE TABLE store_poll_deletion (
    store_id text NOT NULL COLLATE pg_catalog."C",
    deleted_from timestamp with time zone NOT NULL,
    deleted_until timestamp with time zone NOT NULL,
    CONSTRAINT store_poll_deletion_check CHECK ((deleted_from < deleted_until))
);

CREATE TABLE store_recent_day (
    store_id text NOT NULL COLLATE pg_catalog."C",
    day date NOT NULL,
    open_time interval NOT NULL,
    uptime interval NOT NULL,
    observed_time interval NOT NULL,
    observed_uptime interval NOT NULL,
    incidents integer NOT NULL,
    CONSTRAINT store_recent_day_check CHECK (((open_time >= uptime) AND (uptime >= '00:00:00'::interval))),
    CONSTRAINT store_recent_day_check1 CHECK (((open_time >= observed_time) AND (observed_time >= '00:00:00'::interval))),
    CONSTRAINT store_recent_day_check2 CHECK (((LEAST(uptime, observed_time) >= observed_uptime) AND (observed_uptime >= '00:00:00'::interval))),
    CONSTRAINT store_recent_day_incidents_check CHECK ((incidents >= 0))
);

CREATE TABLE uptime_report (
    report_id uuid NOT NULL,
    requested_as_of timestamp with time zone,
    requested_version bigint NOT NULL,
    requested_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    for_lists boolean NOT NULL,
    store_ids text[],
    store_group text,
    selection text DEFAULT ''::text NOT NULL,
    status text DEFAULT 'running'::text NOT NULL,
    as_of timestamp with time zone,
    known_until timestamp with time zone,
    data_version bigint,
    stores integer,
    reason text,
    finished_at timestamp with time zone,
    with_details boolean DEFAULT false NOT NULL,
    detailed_at timestamp with time zone,
    CONSTRAINT uptime_report_check CHECK (((status = 'running'::text) = (finished_at IS NULL))),
    CONSTRAINT uptime_report_check1 CHECK (((status <> 'complete'::text) OR ((data_version IS NOT NULL) AND (stores IS NOT NULL)))),
    CONSTRAINT uptime_report_check2 CHECK (((status = 'failed'::text) = (reason IS NOT NULL))),
    CONSTRAINT uptime_report_status_check CHECK ((status = ANY (ARRAY['running'::text, 'complete'::text, 'failed'::text])))
);

CREATE TABLE uptime_report_detail (
    report_id uuid NOT NULL,
    store_id text NOT NULL COLLATE pg_catalog."C",
    timezone text,
    store_group text,
    state text NOT NULL,
    coverage_last_hour numeric,
    coverage_last_day numeric,
    coverage_last_week numeric
);

CREATE TABLE uptime_report_progress (
    report_id uuid NOT NULL,
    attempts integer NOT NULL,
    stores_done integer DEFAULT 0 NOT NULL,
    stores integer,
    CONSTRAINT uptime_report_progress_attempts_check CHECK ((attempts > 0)),
    CONSTRAINT uptime_report_progress_stores_done_check CHECK ((stores_done >= 0))
);

CREATE TABLE uptime_report_row (
    report_id uuid NOT NULL,
    store_id text NOT NULL COLLATE pg_catalog."C",
    uptime_last_hour interval NOT NULL,
    uptime_last_day interval NOT NULL,
    uptime_last_week interval NOT NULL,
    downtime_last_hour interval NOT NULL,
    downtime_last_day interval NOT NULL,
    downtime_last_week interval NOT NULL,
    observed_until timestamp with time zone
);

CREATE TABLE used_signature (
    signature_hash bytea NOT NULL,
    used_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE ONLY alert_announcement
    ADD CONSTRAINT alert_announcement_pkey PRIMARY KEY (rule, subject);

ALTER TABLE ONLY alert
    ADD CONSTRAINT alert_pkey PRIMARY KEY (id);

ALTER TABLE ONLY day_counter
    ADD CONSTRAINT day_counter_pkey PRIMARY KEY (hotel_id, by_event_date, day) INCLUDE (bookings, cancellations);

ALTER TABLE ONLY failed_login
    ADD CONSTRAINT failed_login_pkey PRIMARY KEY (login_key, address);

ALTER TABLE ONLY feed_cut_off
    ADD CONSTRAINT feed_cut_off_pkey PRIMARY KEY (feed, event_timestamp);

ALTER TABLE ONLY feed_difference
    ADD CONSTRAINT feed_difference_pkey PRIMARY KEY (first_found, feed, event_id);

ALTER TABLE ONLY feed_progress
    ADD CONSTRAINT feed_progress_feed_number_key UNIQUE (feed_number);

ALTER TABLE ONLY feed_progress
    ADD CONSTRAINT feed_progress_pkey PRIMARY KEY (feed);

ALTER TABLE ONLY front_desk_order
    ADD CONSTRAINT front_desk_order_pkey PRIMARY KEY (table_id, id);

ALTER TABLE ONLY hotel_profile
    ADD CONSTRAINT hotel_profile_pkey PRIMARY KEY (hotel_id);

ALTER TABLE ONLY hotel_summary
    ADD CONSTRAINT hotel_summary_pkey PRIMARY KEY (hotel_id);

ALTER TABLE ONLY idempotency_key
    ADD CONSTRAINT idempotency_key_pkey PRIMARY KEY (scope, key);

ALTER TABLE ONLY job
    ADD CONSTRAINT job_pkey PRIMARY KEY (name);

ALTER TABLE ONLY ledger_event
    ADD CONSTRAINT ledger_event_pkey PRIMARY KEY (feed_number, id);

ALTER TABLE ONLY migration
    ADD CONSTRAINT migration_pkey PRIMARY KEY (name);

ALTER TABLE ONLY night_counter
    ADD CONSTRAINT night_counter_pkey PRIMARY KEY (hotel_id, night_of_stay, event_date);

ALTER TABLE ONLY offer
    ADD CONSTRAINT offer_pkey PRIMARY KEY (product_id, offer_id);

ALTER TABLE ONLY offer_price_change
    ADD CONSTRAINT offer_price_change_pkey PRIMARY KEY (product_id, offer_id, at);

ALTER TABLE ONLY offers_token
    ADD CONSTRAINT offers_token_pkey PRIMARY KEY (service);

ALTER TABLE ONLY outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (subject, topic, event);

ALTER TABLE ONLY page_session
    ADD CONSTRAINT page_session_pkey PRIMARY KEY (token_hash);

ALTER TABLE ONLY poll_span
    ADD CONSTRAINT poll_span_pkey PRIMARY KEY (span_start);

ALTER TABLE ONLY product_mark
    ADD CONSTRAINT product_mark_pkey PRIMARY KEY (product_id);

ALTER TABLE ONLY product
    ADD CONSTRAINT product_pkey PRIMARY KEY (product_id);

ALTER TABLE ONLY product_price_change
    ADD CONSTRAINT product_price_change_pkey PRIMARY KEY (product_id, at) INCLUDE (price);

ALTER TABLE ONLY product_price_gap
    ADD CONSTRAINT product_price_gap_pkey PRIMARY KEY (product_id, since);

ALTER TABLE ONLY product_refresh
    ADD CONSTRAINT product_refresh_pkey PRIMARY KEY (product_id);

ALTER TABLE ONLY quarantined_event
    ADD CONSTRAINT quarantined_event_pkey PRIMARY KEY (feed, fingerprint);

ALTER TABLE ONLY rate_limit
    ADD CONSTRAINT rate_limit_pkey PRIMARY KEY (key, policy);

ALTER TABLE ONLY store_closure
    ADD CONSTRAINT store_closure_pkey PRIMARY KEY (store_id, "position");

ALTER TABLE ONLY store_day
    ADD CONSTRAINT store_day_pkey PRIMARY KEY (store_id, day);

ALTER TABLE ONLY store_file_pull
    ADD CONSTRAINT store_file_pull_pkey PRIMARY KEY (kind, url);

ALTER TABLE ONLY store_hours
    ADD CONSTRAINT store_hours_pkey PRIMARY KEY (store_id, valid_from, weekday, opens, closes);

ALTER TABLE ONLY store_import
    ADD CONSTRAINT store_import_pkey PRIMARY KEY (import_id);

ALTER TABLE ONLY store
    ADD CONSTRAINT store_pkey PRIMARY KEY (store_id);

ALTER TABLE ONLY store_poll_deletion
    ADD CONSTRAINT store_poll_deletion_pkey PRIMARY KEY (store_id, deleted_from, deleted_until);

ALTER TABLE ONLY store_poll
    ADD CONSTRAINT store_poll_pkey PRIMARY KEY (store_id, polled_at) INCLUDE (active);

ALTER TABLE ONLY store_recent_day
    ADD CONSTRAINT store_recent_day_pkey PRIMARY KEY (store_id, day);

ALTER TABLE ONLY uptime_report_detail
    ADD CONSTRAINT uptime_report_detail_pkey PRIMARY KEY (report_id, store_id);

ALTER TABLE ONLY uptime_report
    ADD CONSTRAINT uptime_report_pkey PRIMARY KEY (report_id);

ALTER TABLE ONLY uptime_report_progress
    ADD CONSTRAINT uptime_report_progress_pkey PRIMARY KEY (report_id);

ALTER TABLE ONLY uptime_report_row
    ADD CONSTRAINT uptime_report_row_pkey PRIMARY KEY (report_id, store_id);

ALTER TABLE ONLY used_signature
    ADD CONSTRAINT used_signature_pkey PRIMARY KEY (signature_hash);

CREATE UNIQUE INDEX alert_firing ON alert USING btree (rule, subject) WHERE (resolved_at IS NULL);

CREATE INDEX alert_resolved ON alert USING btree (resolved_at) WHERE (resolved_at IS NOT NULL);

CREATE INDEX alert_subject ON alert USING btree (rule, subject, id);

CREATE INDEX failed_login_failed_at ON failed_login USING btree (failed_at);

CREATE UNIQUE INDEX feed_difference_open ON feed_difference USING btree (feed, event_id) WHERE (applied_at IS NULL);

CREATE INDEX front_desk_order_coming ON front_desk_order USING btree (starts_at) WHERE (status = 'confirmed'::text);

CREATE INDEX front_desk_order_day ON front_desk_order USING btree (day, id) WHERE (day IS NOT NULL);

CREATE INDEX front_desk_order_freed ON front_desk_order USING btree (changed_at, id) WHERE (was_confirmed AND (provider_status = 'cancelled'::text));

CREATE INDEX front_desk_order_id ON front_desk_order USING btree (id);

CREATE INDEX front_desk_order_settled ON front_desk_order USING btree (changed_at, id) WHERE (status <> 'waiting'::text);

CREATE INDEX front_desk_order_status ON front_desk_order USING btree (status, id);

CREATE INDEX front_desk_order_time ON front_desk_order USING gist (tstzrange(starts_at, ends_at)) WHERE ((status = ANY (ARRAY['waiting'::text, 'confirmed'::text])) AND (starts_at IS NOT NULL));

CREATE INDEX front_desk_order_undelivered ON front_desk_order USING btree (id) WHERE ((decision IS NOT NULL) AND (NOT delivered));

CREATE INDEX front_desk_order_updated ON front_desk_order USING btree (updated_at);

CREATE INDEX front_desk_order_waiting ON front_desk_order USING btree (received_at, id) WHERE (status = 'waiting'::text);

CREATE INDEX idempotency_key_created_at ON idempotency_key USING btree (created_at);

CREATE INDEX ledger_event_time ON ledger_event USING brin (event_timestamp) WITH (autosummarize='on');

CREATE INDEX offer_closed ON offer USING btree (closed_at) WHERE (closed_at IS NOT NULL);

CREATE INDEX offer_open ON offer USING btree (product_id) WHERE (closed_at IS NULL);

CREATE INDEX offer_price_change_at ON offer_price_change USING btree (at);

CREATE INDEX outbox_due ON outbox USING btree (topic, due_at) WHERE (state = 'waiting'::text);

CREATE INDEX outbox_sent ON outbox USING btree (settled_at) WHERE (state = 'sent'::text);

CREATE INDEX outbox_state ON outbox USING btree (state, id);

CREATE INDEX product_name ON product USING btree (name_key, product_id);

CREATE INDEX product_price_change_at ON product_price_change USING btree (at) WHERE (NOT thinned);

CREATE INDEX product_price_gap_until ON product_price_gap USING btree (until);

CREATE INDEX product_refresh_pending ON product_refresh USING btree (due_at) WHERE (registered_at IS NULL);

CREATE INDEX quarantined_event_first_seen ON quarantined_event USING btree (first_seen, feed, fingerprint);

CREATE INDEX rate_limit_full_at ON rate_limit USING btree (full_at);

CREATE INDEX store_day_day ON store_day USING btree (day);

CREATE INDEX store_import_changed ON store_import USING btree (import_id) WHERE changed;

CREATE INDEX store_recent_day_day ON store_recent_day USING btree (day);

CREATE INDEX uptime_report_requested_at ON uptime_report USING btree (requested_at, report_id);

CREATE UNIQUE INDEX uptime_report_running ON uptime_report USING btree (requested_version, COALESCE(requested_as_of, '-infinity'::timestamp with time zone), for_lists, selection, with_details) WHERE (status = 'running'::text);

CREATE INDEX used_signature_used_at ON used_signature USING btree (used_at);

ALTER TABLE ONLY offer_price_change
    ADD CONSTRAINT offer_price_change_product_id_offer_id_fkey FOREIGN KEY (product_id, offer_id) REFERENCES offer(product_id, offer_id) ON DELETE CASCADE;

ALTER TABLE ONLY offer
    ADD CONSTRAINT offer_product_id_fkey FOREIGN KEY (product_id) REFERENCES product_refresh(product_id) ON DELETE CASCADE;

ALTER TABLE ONLY product_mark
    ADD CONSTRAINT product_mark_product_id_fkey FOREIGN KEY (product_id) REFERENCES product_refresh(product_id) ON DELETE CASCADE;

ALTER TABLE ONLY product_price_change
    ADD CONSTRAINT product_price_change_product_id_fkey FOREIGN KEY (product_id) REFERENCES product_refresh(product_id) ON DELETE CASCADE;

ALTER TABLE ONLY product_price_gap
    ADD CONSTRAINT product_price_gap_product_id_fkey FOREIGN KEY (product_id) REFERENCES product_refresh(product_id) ON DELETE CASCADE;

ALTER TABLE ONLY product_refresh
    ADD CONSTRAINT product_refresh_product_id_fkey FOREIGN KEY (product_id) REFERENCES product(product_id) ON DELETE CASCADE;

ALTER TABLE ONLY uptime_report_detail
    ADD CONSTRAINT uptime_report_detail_report_id_fkey FOREIGN KEY (report_id) REFERENCES uptime_report(report_id) ON DELETE CASCADE;

ALTER TABLE ONLY uptime_report_progress
    ADD CONSTRAINT uptime_report_progress_report_id_fkey FOREIGN KEY (report_id) REFERENCES uptime_report(report_id) ON DELETE CASCADE;

ALTER TABLE ONLY uptime_report_row
    ADD CONSTRAINT uptime_report_row_report_id_fkey FOREIGN KEY (report_id) REFERENCES uptime_report(report_id) ON DELETE CASCADE;
