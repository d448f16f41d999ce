-- The schema after all migrations, for reading. Not for creating a database: its data is missing.
-- Written by `make schema`; a test compares it with the migrations.

SET check_function_bodies = off; -- functions stand before the tables that they read

CREATE FUNCTION add_store_poll_key() RETURNS void
    LANGUAGE sql
    AS $$
    ALTER TABLE store_poll ADD CONSTRAINT store_poll_pkey PRIMARY KEY (store_id, polled_at) INCLUDE (active);
$$;

CREATE FUNCTION open_time(of_store text, since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(store_id text, open tstzmultirange)
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

CREATE FUNCTION open_time_before(of_store text, moment timestamp with time zone) RETURNS tstzmultirange
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

CREATE FUNCTION opening_instant(wall timestamp without time zone, zone text) RETURNS timestamp with time zone
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT CASE WHEN early AT TIME ZONE zone = wall THEN early ELSE late END
      FROM (
        SELECT late, late - INTERVAL '3 hours' + (wall - (late - INTERVAL '3 hours') AT TIME ZONE zone) AS early
          FROM (SELECT wall AT TIME ZONE zone AS late) AS second_pass
      ) AS passes
$$;

CREATE FUNCTION store_status(of_store text, since timestamp with time zone, until timestamp with time zone) RETURNS TABLE(store_id text, open tstzmultirange, up tstzmultirange)
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
    event_timestamp timestamp with time zone NOT NULL,
    reason text NOT NULL,
    first_seen timestamp with time zone NOT NULL,
    last_seen timestamp with time zone NOT NULL
);

CREATE TABLE feed_difference (
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
    feed text DEFAULT 'booking_events'::text NOT NULL,
    watermark timestamp with time zone,
    recorded_through timestamp with time zone,
    data_through timestamp with time zone,
    window_seconds double precision DEFAULT 86400 NOT NULL,
    audited_through timestamp with time zone,
    audit_started_at timestamp with time zone,
    wait_until timestamp with time zone,
    CONSTRAINT feed_progress_feed_check CHECK ((feed = 'booking_events'::text))
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
    ordered_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    provider_status text NOT NULL,
    decision text,
    decided_at timestamp with time zone,
    decided_by text,
    outcome text,
    reason text,
    status text GENERATED ALWAYS AS (
CASE
    WHEN (outcome = 'refused'::text) THEN 'refused'::text
    WHEN (provider_status <> 'waiting'::text) THEN provider_status
    WHEN (decision = 'confirm'::text) THEN 'confirmed'::text
    WHEN (decision = 'decline'::text) THEN 'declined'::text
    ELSE 'waiting'::text
END) STORED NOT NULL,
    CONSTRAINT front_desk_order_check CHECK (((decision IS NULL) = (decided_at IS NULL))),
    CONSTRAINT front_desk_order_check1 CHECK (((decision IS NULL) = (decided_by IS NULL))),
    CONSTRAINT front_desk_order_check2 CHECK (((outcome IS NULL) OR (decision IS NOT NULL))),
    CONSTRAINT front_desk_order_check3 CHECK (((NOT (outcome IS DISTINCT FROM 'refused'::text)) = (reason IS NOT NULL))),
    CONSTRAINT front_desk_order_decision_check CHECK ((decision = ANY (ARRAY['confirm'::text, 'decline'::text]))),
    CONSTRAINT front_desk_order_outcome_check CHECK ((outcome = ANY (ARRAY['accepted'::text, 'refused'::text]))),
    CONSTRAINT front_desk_order_provider_status_check CHECK ((provider_status = ANY (ARRAY['waiting'::text, 'confirmed'::text, 'declined'::text, 'cancelled'::text])))
);

CREATE TABLE front_desk_session (
    token_hash bytea NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT front_desk_session_token_hash_check CHECK ((length(token_hash) = 32))
);

CREATE TABLE hotel_summary (
    hotel_id bigint NOT NULL,
    events bigint NOT NULL,
    first_night date NOT NULL,
    last_night date NOT NULL,
    last_event_timestamp timestamp with time zone NOT NULL
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
    CONSTRAINT offer_price_check CHECK ((price >= 0))
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
    not_before timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL
);

CREATE TABLE outbox (
    id bigint NOT NULL,
    topic text NOT NULL,
    subject text NOT NULL,
    event text NOT NULL,
    payload jsonb NOT NULL,
    state text DEFAULT 'waiting'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    due_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    settled_at timestamp with time zone,
    last_error text,
    CONSTRAINT outbox_check CHECK (((state = 'waiting'::text) = (settled_at IS NULL))),
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

CREATE TABLE product (
    product_id uuid NOT NULL,
    name text NOT NULL,
    description text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT product_description_check CHECK ((char_length(description) <= 5000)),
    CONSTRAINT product_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 200)))
);

CREATE TABLE product_price_change (
    product_id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    price bigint,
    CONSTRAINT product_price_change_price_check CHECK ((price >= 0))
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
    CONSTRAINT product_refresh_best_price_check CHECK ((best_price >= 0)),
    CONSTRAINT product_refresh_failures_check CHECK ((failures >= 0))
)
WITH (fillfactor='70');

CREATE TABLE quarantined_event (
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
    CONSTRAINT store_check CHECK ((first_polled_at <= last_polled_at)),
    CONSTRAINT store_check1 CHECK (((first_polled_at IS NULL) = (last_polled_at IS NULL))),
    CONSTRAINT store_store_id_check CHECK (((length(store_id) >= 1) AND (length(store_id) <= 100)))
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
    CONSTRAINT store_hours_opens_check CHECK ((opens < '24:00:00'::time without time zone)),
    CONSTRAINT store_hours_weekday_check CHECK (((weekday >= 0) AND (weekday <= 6)))
);

CREATE TABLE store_import (
    import_id bigint NOT NULL,
    kind text NOT NULL,
    source text NOT NULL,
    rows bigint NOT NULL,
    new bigint NOT NULL,
    changed boolean NOT NULL,
    rejected_total bigint NOT NULL,
    rejected jsonb NOT NULL,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT store_import_kind_check CHECK ((kind = ANY (ARRAY['status'::text, 'business-hours'::text, 'timezones'::text]))),
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

CREATE TABLE uptime_report (
    report_id uuid NOT NULL,
    requested_as_of timestamp with time zone,
    requested_version bigint NOT NULL,
    requested_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    status text DEFAULT 'running'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    as_of timestamp with time zone,
    data_version bigint,
    stores integer,
    reason text,
    finished_at timestamp with time zone,
    CONSTRAINT uptime_report_check CHECK (((status = 'running'::text) = (finished_at IS NULL))),
    CONSTRAINT uptime_report_check1 CHECK (((status <> 'complete'::text) OR ((data_version IS NOT NULL) AND (stores IS NOT NULL)))),
    CONSTRAINT uptime_report_check2 CHECK (((status = 'failed'::text) = (reason IS NOT NULL))),
    CONSTRAINT uptime_report_status_check CHECK ((status = ANY (ARRAY['running'::text, 'complete'::text, 'failed'::text])))
);

CREATE TABLE uptime_report_row (
    report_id uuid NOT NULL,
    store_id text NOT NULL COLLATE pg_catalog."C",
    uptime_last_hour interval NOT NULL,
    uptime_last_day interval NOT NULL,
    uptime_last_week interval NOT NULL,
    downtime_last_hour interval NOT NULL,
    downtime_last_day interval NOT NULL,
    downtime_last_week interval NOT NULL
);

CREATE TABLE used_signature (
    signature_hash bytea NOT NULL,
    used_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE ONLY day_counter
    ADD CONSTRAINT day_counter_pkey PRIMARY KEY (hotel_id, by_event_date, day) INCLUDE (bookings, cancellations);

ALTER TABLE ONLY failed_login
    ADD CONSTRAINT failed_login_pkey PRIMARY KEY (login_key, address);

ALTER TABLE ONLY feed_cut_off
    ADD CONSTRAINT feed_cut_off_pkey PRIMARY KEY (event_timestamp);

ALTER TABLE ONLY feed_difference
    ADD CONSTRAINT feed_difference_pkey PRIMARY KEY (first_found, event_id);

ALTER TABLE ONLY feed_progress
    ADD CONSTRAINT feed_progress_pkey PRIMARY KEY (feed);

ALTER TABLE ONLY front_desk_order
    ADD CONSTRAINT front_desk_order_pkey PRIMARY KEY (table_id, id);

ALTER TABLE ONLY front_desk_session
    ADD CONSTRAINT front_desk_session_pkey PRIMARY KEY (token_hash);

ALTER TABLE ONLY hotel_summary
    ADD CONSTRAINT hotel_summary_pkey PRIMARY KEY (hotel_id);

ALTER TABLE ONLY idempotency_key
    ADD CONSTRAINT idempotency_key_pkey PRIMARY KEY (scope, key);

ALTER TABLE ONLY job
    ADD CONSTRAINT job_pkey PRIMARY KEY (name);

ALTER TABLE ONLY ledger_event
    ADD CONSTRAINT ledger_event_pkey PRIMARY KEY (id);

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

ALTER TABLE ONLY product
    ADD CONSTRAINT product_pkey PRIMARY KEY (product_id);

ALTER TABLE ONLY product_price_change
    ADD CONSTRAINT product_price_change_pkey PRIMARY KEY (product_id, at);

ALTER TABLE ONLY product_refresh
    ADD CONSTRAINT product_refresh_pkey PRIMARY KEY (product_id);

ALTER TABLE ONLY quarantined_event
    ADD CONSTRAINT quarantined_event_pkey PRIMARY KEY (fingerprint);

ALTER TABLE ONLY rate_limit
    ADD CONSTRAINT rate_limit_pkey PRIMARY KEY (key, policy);

ALTER TABLE ONLY store_file_pull
    ADD CONSTRAINT store_file_pull_pkey PRIMARY KEY (kind, url);

ALTER TABLE ONLY store_hours
    ADD CONSTRAINT store_hours_pkey PRIMARY KEY (store_id, weekday, opens, closes);

ALTER TABLE ONLY store_import
    ADD CONSTRAINT store_import_pkey PRIMARY KEY (import_id);

ALTER TABLE ONLY store
    ADD CONSTRAINT store_pkey PRIMARY KEY (store_id);

ALTER TABLE ONLY store_poll
    ADD CONSTRAINT store_poll_pkey PRIMARY KEY (store_id, polled_at) INCLUDE (active);

ALTER TABLE ONLY uptime_report
    ADD CONSTRAINT uptime_report_pkey PRIMARY KEY (report_id);

ALTER TABLE ONLY uptime_report_row
    ADD CONSTRAINT uptime_report_row_pkey PRIMARY KEY (report_id, store_id);

ALTER TABLE ONLY used_signature
    ADD CONSTRAINT used_signature_pkey PRIMARY KEY (signature_hash);

CREATE INDEX failed_login_failed_at ON failed_login USING btree (failed_at);

CREATE UNIQUE INDEX feed_difference_open ON feed_difference USING btree (event_id) WHERE (applied_at IS NULL);

CREATE INDEX front_desk_order_id ON front_desk_order USING btree (id);

CREATE INDEX front_desk_order_settled ON front_desk_order USING btree (COALESCE(decided_at, received_at), id) WHERE (status <> 'waiting'::text);

CREATE INDEX front_desk_order_status ON front_desk_order USING btree (status, id);

CREATE INDEX idempotency_key_created_at ON idempotency_key USING btree (created_at);

CREATE INDEX ledger_event_time ON ledger_event USING brin (event_timestamp) WITH (autosummarize='on');

CREATE INDEX offer_open ON offer USING btree (product_id) WHERE (closed_at IS NULL);

CREATE INDEX outbox_due ON outbox USING btree (topic, due_at) WHERE (state = 'waiting'::text);

CREATE INDEX outbox_sent ON outbox USING btree (settled_at) WHERE (state = 'sent'::text);

CREATE INDEX outbox_state ON outbox USING btree (state, id);

CREATE INDEX product_name ON product USING btree (name, product_id);

CREATE INDEX product_refresh_pending ON product_refresh USING btree (due_at) WHERE (registered_at IS NULL);

CREATE INDEX quarantined_event_first_seen ON quarantined_event USING btree (first_seen, fingerprint);

CREATE INDEX rate_limit_full_at ON rate_limit USING btree (full_at);

CREATE INDEX store_poll_polled_at ON store_poll USING brin (polled_at) WITH (autosummarize='on');

CREATE INDEX uptime_report_requested_at ON uptime_report USING btree (requested_at, report_id);

CREATE UNIQUE INDEX uptime_report_running ON uptime_report USING btree (requested_version, COALESCE(requested_as_of, '-infinity'::timestamp with time zone)) WHERE (status = 'running'::text);

CREATE INDEX used_signature_used_at ON used_signature USING btree (used_at);

ALTER TABLE ONLY offer_price_change
    ADD CONSTRAINT offer_price_change_product_id_offer_id_fkey FOREIGN KEY (product_id, offer_id) REFERENCES offer(product_id, offer_id) ON DELETE CASCADE;

ALTER TABLE ONLY offer
    ADD CONSTRAINT offer_product_id_fkey FOREIGN KEY (product_id) REFERENCES product_refresh(product_id) ON DELETE CASCADE;

ALTER TABLE ONLY product_price_change
    ADD CONSTRAINT product_price_change_product_id_fkey FOREIGN KEY (product_id) REFERENCES product_refresh(product_id) ON DELETE CASCADE;

ALTER TABLE ONLY product_refresh
    ADD CONSTRAINT product_refresh_product_id_fkey FOREIGN KEY (product_id) REFERENCES product(product_id) ON DELETE CASCADE;

ALTER TABLE ONLY uptime_report_row
    ADD CONSTRAINT uptime_report_row_report_id_fkey FOREIGN KEY (report_id) REFERENCES uptime_report(report_id) ON DELETE CASCADE;
