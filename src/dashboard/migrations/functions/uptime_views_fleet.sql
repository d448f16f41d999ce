-- release 1
-- What the lists of the fleet show: the band of each store in a report, and the week of some stores.

-- The stores of a report with their uptime and open time in a period, in whole microseconds, which these numbers hold
-- exactly, and the band of their share. A store that no poll covers in any of its open time in the period is of the
-- band no_data: its share would be carried from before. All of it is of the report alone, so that it never changes.
CREATE OR REPLACE FUNCTION report_bands(of_report uuid, period text)
RETURNS TABLE (store_id text, up float8, open float8, band text)
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

-- The week of stores up to `as_of`, by the rules of a report as of it, as parts of 24 hours, oldest first, in seconds:
-- open time, the part in which the store was up, the part that a poll covers. hour_open, hour_up, hour_observed: those
-- of the last hour. The last incident is that of the same time and up to `known`, but not later than 48 hours after the
-- newest poll of the fleet, since nobody knows anything of the time after it; with its open time. It is cut if it may
-- have begun before the week, and ongoing if the store was not up since.
CREATE OR REPLACE FUNCTION store_weeks(of_stores text [], as_of timestamptz, coverage interval, known timestamptz)
RETURNS TABLE (
    store_id text, open float8 [], up float8 [], observed float8 [], hour_open float8, hour_up float8,
    hour_observed float8, incident_start timestamptz, incident_end timestamptz, incident_down float8,
    is_cut boolean, is_ongoing boolean
)
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
