-- The schema after all migrations, for reading. Not for creating a database: its data is missing.
-- Written by `make schema`; a test compares it with the migrations.

SET check_function_bodies = off; -- functions stand before the tables that they read

CREATE EXTENSION IF NOT EXISTS btree_gist WITH SCHEMA public;

CREATE FUNCTION available_in_hotel(hotel bigint, stay daterange, party integer, refused_zones text[], after text, places integer) RETURNS TABLE(available_id text, description text)
    LANGUAGE plpgsql STABLE
    AS $$
DECLARE
    number_of_nights CONSTANT integer := upper(stay) - lower(stay);
    ids text[] := ARRAY(SELECT property_id FROM linked_room WHERE hotel_id = hotel AND property_id > after);
BEGIN
    ids := ARRAY(
        SELECT property_id
          FROM free_stretch
         WHERE property_id = ANY (ids)
           AND first_night <= lower(stay)
           AND end_date >= upper(stay)
           AND min_nights <= number_of_nights
           AND max_guests >= party
           AND (refused_zones IS NULL OR coalesce(timezone, '') <> ALL (refused_zones))
    );
    ids := ARRAY(SELECT id FROM unnest(ids) AS id ORDER BY id COLLATE "C" LIMIT places);
    RETURN QUERY
    SELECT property_id, property.description FROM property WHERE property_id = ANY (ids) ORDER BY property_id;
END
$$;

CREATE FUNCTION available_properties(stay daterange, party integer, refused_zones text[], after text, places integer) RETURNS TABLE(available_id text, description text)
    LANGUAGE plpgsql STABLE
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
DECLARE
    segments_at_once CONSTANT integer := 4;
    few CONSTANT integer := 2000;
    many CONSTANT integer := 2000;
    looked_at CONSTANT integer := 3 * places;
    number_of_nights CONSTANT integer := upper(stay) - lower(stay);
    returned integer;
    segments integer := 0;
    found_in_segments integer := 0;
    next_segment record;
    last_id text COLLATE "C" := after;
    free_ids text[];
BEGIN
    IF is_distributed('free_stretch') THEN
        RETURN QUERY SELECT * FROM available_properties_on_cluster(stay, party, refused_zones, after, places);
        RETURN;
    END IF;
    FOR next_segment IN
        SELECT segment, first_id
          FROM property_segment
         WHERE first_id >= (
             SELECT first_id FROM property_segment WHERE first_id <= after COLLATE "C" ORDER BY first_id DESC LIMIT 1
         )
         ORDER BY first_id
    LOOP
        IF segments = segments_at_once THEN
            IF found_in_segments < segments_at_once THEN
                free_ids := ARRAY(
                    SELECT property_id
                      FROM free_stretch
                     WHERE daterange(first_night, end_date) @> stay
                       AND min_nights <= number_of_nights
                       AND max_guests >= party
                       AND (refused_zones IS NULL OR coalesce(timezone, '') <> ALL (refused_zones))
                     LIMIT few + 1
                );
                IF cardinality(free_ids) <= few THEN
                    RETURN QUERY
                    SELECT property_id, property.description
                      FROM property
                     WHERE property_id = ANY (ARRAY(
                               SELECT id
                                 FROM unnest(free_ids) AS id
                                WHERE id >= next_segment.first_id COLLATE "C"
                                  AND id > last_id COLLATE "C"
                                ORDER BY id COLLATE "C"
                                LIMIT places
                           ))
                     ORDER BY property_id;
                    RETURN;
                END IF;
            END IF;
            segments := 0;
            found_in_segments := 0;
        END IF;
        free_ids := ARRAY(
            SELECT property_id
              FROM free_stretch
             WHERE segment = next_segment.segment
               AND nights @> stay
               AND min_nights <= number_of_nights
               AND max_guests >= party
               AND (refused_zones IS NULL OR coalesce(timezone, '') <> ALL (refused_zones))
             LIMIT many + 1
        );
        IF cardinality(free_ids) > many THEN
            RETURN QUERY
            SELECT next.property_id, next.description
              FROM (
                  SELECT property_id, property.description
                    FROM property
                   WHERE property_id >= next_segment.first_id
                     AND property_id > last_id
                   ORDER BY property_id
                   LIMIT looked_at
              ) AS next
             CROSS JOIN LATERAL (
                 SELECT end_date, min_nights, max_guests, timezone
                   FROM free_stretch
                  WHERE property_id = next.property_id AND first_night <= lower(stay)
                  ORDER BY first_night DESC
                  LIMIT 1
             ) AS before
             WHERE before.end_date >= upper(stay)
               AND min_nights <= number_of_nights
               AND max_guests >= party
               AND (refused_zones IS NULL OR coalesce(timezone, '') <> ALL (refused_zones))
             ORDER BY next.property_id
             LIMIT places;
            GET DIAGNOSTICS returned = ROW_COUNT;
            places := places - returned;
            EXIT WHEN places = 0;
            SELECT property_id INTO last_id
              FROM property
             WHERE property_id >= next_segment.first_id
               AND property_id > last_id
             ORDER BY property_id
            OFFSET looked_at - 1
             LIMIT 1;
            EXIT WHEN NOT FOUND;
            free_ids := ARRAY(
                SELECT property_id
                  FROM free_stretch
                 WHERE segment = next_segment.segment
                   AND nights @> stay
                   AND min_nights <= number_of_nights
                   AND max_guests >= party
                   AND (refused_zones IS NULL OR coalesce(timezone, '') <> ALL (refused_zones))
            );
        END IF;
        RETURN QUERY
        SELECT property_id, property.description
          FROM property
         WHERE property_id = ANY (ARRAY(
                   SELECT id
                     FROM unnest(free_ids) AS id
                    WHERE id > last_id COLLATE "C"
                    ORDER BY id COLLATE "C"
                    LIMIT places
               ))
         ORDER BY property_id;
        GET DIAGNOSTICS returned = ROW_COUNT;
        places := places - returned;
        EXIT WHEN places = 0;
        segments := segments + 1;
        found_in_segments := found_in_segments + returned;
    END LOOP;
END
$$;

CREATE FUNCTION available_properties_on_cluster(stay daterange, party integer, refused_zones text[], after text, places integer) RETURNS TABLE(available_id text, description text)
    LANGUAGE plpgsql
    AS $$
DECLARE
    start_id text COLLATE "C" := after;
    number_of_segments integer := 1;
    number_of_nights CONSTANT integer := upper(stay) - lower(stay);
    read record;
    read_again record;
    ids text[];
    descriptions text[];
BEGIN
    LOOP
        SELECT * INTO read FROM segments_from(start_id, number_of_segments);
        SELECT array_agg(property_id ORDER BY property_id), array_agg(about ORDER BY property_id)
          INTO ids, descriptions
          FROM (
              SELECT found.property_id,
                     (
                         SELECT property.description FROM property WHERE property.property_id = found.property_id
                     ) AS about
                FROM free_stretch AS found
               WHERE segment = ANY (read.segments)
                 AND nights @> stay
                 AND min_nights <= number_of_nights
                 AND max_guests >= party
                 AND (refused_zones IS NULL OR coalesce(timezone, '') <> ALL (refused_zones))
                 AND found.property_id > after
                 AND found.property_id >= start_id
                 AND (read.end_id IS NULL OR found.property_id < read.end_id)
               ORDER BY found.property_id || ''
               LIMIT places
          ) AS page;
        SELECT * INTO read_again FROM segments_from(start_id, number_of_segments);
        CONTINUE WHEN read_again.boundaries IS DISTINCT FROM read.boundaries;
        RETURN QUERY SELECT * FROM unnest(ids, descriptions);
        places := places - coalesce(cardinality(ids), 0);
        EXIT WHEN places = 0 OR read.end_id IS NULL;
        start_id := read.end_id;
        number_of_segments := number_of_segments * 4;
    END LOOP;
END
$$;

CREATE FUNCTION available_start_dates(days date[], number_of_nights integer, party integer, refused_zones text[]) RETURNS TABLE(start_date date, free_properties integer, has_more boolean)
    LANGUAGE plpgsql STABLE
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET jit TO 'off'
    AS $$
DECLARE
    most CONSTANT integer := 100;
    first date := (SELECT min(day) FROM unnest(days) AS day);
    last date := (SELECT max(day) FROM unnest(days) AS day);
    candidate record;
    group_number integer;
    group_is_possible boolean;
    found_nights daterange;
    possible date[] := '{}';
    counted_day date;
    counted daterange[] := '{}';
    counts integer[] := '{}';
BEGIN
    SELECT daterange(first_night, end_date) INTO found_nights
      FROM free_stretch
     WHERE daterange(first_night, end_date) && daterange(first, last + number_of_nights)
       AND min_nights <= number_of_nights
       AND max_guests >= party
       AND (refused_zones IS NULL OR coalesce(timezone, '') <> ALL (refused_zones))
     LIMIT 1;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    possible := ARRAY(SELECT day FROM unnest(days) AS day WHERE found_nights @> daterange(day, day + number_of_nights));
    FOR candidate IN
        SELECT day, number, min(day) OVER day_group AS group_first, max(day) OVER day_group AS group_last
          FROM (SELECT day, (day - first) / number_of_nights AS number FROM unnest(days) AS day) AS numbered
        WINDOW day_group AS (PARTITION BY number)
         ORDER BY number
    LOOP
        CONTINUE WHEN candidate.day = ANY (possible);
        IF candidate.number IS DISTINCT FROM group_number THEN
            group_number := candidate.number;
            SELECT daterange(first_night, end_date) INTO found_nights
              FROM free_stretch
             WHERE daterange(first_night, end_date)
                   @> daterange(candidate.group_last, candidate.group_first + number_of_nights)
               AND min_nights <= number_of_nights
               AND max_guests >= party
               AND (refused_zones IS NULL OR coalesce(timezone, '') <> ALL (refused_zones))
             LIMIT 1;
            group_is_possible := FOUND;
        END IF;
        CONTINUE WHEN NOT group_is_possible;
        IF (found_nights @> daterange(candidate.day, candidate.day + number_of_nights)) IS NOT TRUE THEN
            SELECT daterange(first_night, end_date) INTO found_nights
              FROM free_stretch
             WHERE daterange(first_night, end_date)
                   @> daterange(candidate.day, candidate.day + number_of_nights)
               AND min_nights <= number_of_nights
               AND max_guests >= party
               AND (refused_zones IS NULL OR coalesce(timezone, '') <> ALL (refused_zones))
             LIMIT 1;
            CONTINUE WHEN NOT FOUND;
        END IF;
        possible := possible || ARRAY(
            SELECT day FROM unnest(days) AS day WHERE found_nights @> daterange(day, day + number_of_nights)
        );
    END LOOP;
    possible := ARRAY(SELECT DISTINCT day FROM unnest(possible) AS day WHERE day = ANY (days) ORDER BY day);
    FOREACH counted_day IN ARRAY possible LOOP
        IF (
            SELECT count(*) FROM unnest(counted) AS stretch
             WHERE stretch @> daterange(counted_day, counted_day + number_of_nights)
        ) <= most THEN
            counted := ARRAY(
                SELECT daterange(first_night, end_date)
                  FROM free_stretch
                 WHERE daterange(first_night, end_date) @> daterange(counted_day, counted_day + number_of_nights)
                   AND min_nights <= number_of_nights
                   AND max_guests >= party
                   AND (refused_zones IS NULL OR coalesce(timezone, '') <> ALL (refused_zones))
                 LIMIT most + 1
            );
        END IF;
        counts := counts || cardinality(counted);
    END LOOP;
    RETURN QUERY
    SELECT day, least(number, most), number > most
      FROM unnest(days) WITH ORDINALITY AS given (day, position)
      JOIN unnest(possible, counts) AS found (possible_day, number) ON possible_day = day
     ORDER BY position;
END
$$;

CREATE FUNCTION available_start_dates_in_hotel(hotel bigint, days date[], number_of_nights integer, party integer, refused_zones text[]) RETURNS TABLE(start_date date, free_properties integer, has_more boolean)
    LANGUAGE plpgsql STABLE
    AS $$
DECLARE
    first date := (SELECT min(day) FROM unnest(days) AS day);
    last date := (SELECT max(day) FROM unnest(days) AS day);
    ids CONSTANT text[] := ARRAY(SELECT property_id FROM linked_room WHERE hotel_id = hotel);
    stretches daterange[];
BEGIN
    stretches := ARRAY(
        SELECT daterange(first_night, end_date)
          FROM free_stretch
         WHERE property_id = ANY (ids)
           AND first_night <= last
           AND end_date >= first + number_of_nights
           AND min_nights <= number_of_nights
           AND max_guests >= party
           AND (refused_zones IS NULL OR coalesce(timezone, '') <> ALL (refused_zones))
    );
    RETURN QUERY
    SELECT day, count(*)::integer, FALSE
      FROM unnest(days) WITH ORDINALITY AS given (day, position)
      JOIN unnest(stretches) AS stretch ON stretch @> daterange(day, day + number_of_nights)
     GROUP BY day, position
     ORDER BY position;
END
$$;

CREATE FUNCTION blocked_nights(property text, within daterange) RETURNS datemultirange
    LANGUAGE plpgsql STABLE
    AS $$
DECLARE
    owner record;
    stays datemultirange;
    blocks datemultirange;
    in_feed datemultirange;
BEGIN
    SELECT turnover_days, hotel_id, room_id, on_sale INTO owner FROM property AS each WHERE each.property_id = property;
    IF NOT owner.on_sale THEN
        RETURN datemultirange(within);
    END IF;
    SELECT range_agg(daterange(arrival - owner.turnover_days, free_from)) INTO stays
      FROM reservation
     WHERE property_id = property
       AND cancelled_at IS NULL
       AND arrival > lower(within) - 731
       AND arrival < upper(within) + owner.turnover_days;
    SELECT range_agg(daterange(first_night, end_date)) INTO blocks
      FROM property_block
     WHERE property_id = property
       AND first_night > lower(within) - 366
       AND first_night < upper(within);
    SELECT range_agg(daterange(night, night + 1)) INTO in_feed
      FROM nights_booked_in_feed(owner.hotel_id, owner.room_id, lower(within), upper(within));
    RETURN coalesce(stays, '{}') + coalesce(blocks, '{}') + coalesce(in_feed, '{}')
    + nights_of_other_sites(property, within);
END
$$;

CREATE FUNCTION iso_date(day timestamp without time zone) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ((((lpad(((date_part('year'::text, day))::integer)::text, 4, '0'::text) || '-'::text) || lpad(((date_part('month'::text, day))::integer)::text, 2, '0'::text)) || '-'::text) || lpad(((date_part('day'::text, day))::integer)::text, 2, '0'::text));

CREATE FUNCTION rfc3339(instant timestamp with time zone) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (((((iso_date((instant AT TIME ZONE 'UTC'::text)) || 'T'::text) || "left"((((instant AT TIME ZONE 'UTC'::text))::time without time zone)::text, 8)) || '.'::text) || lpad((((date_part('microseconds'::text, (instant AT TIME ZONE 'UTC'::text)))::integer % 1000000))::text, 6, '0'::text)) || 'Z'::text);

CREATE FUNCTION booking_event_json(id bigint, hotel_id bigint, event_timestamp timestamp with time zone, status smallint, room_id text, night_of_stay date) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (((((((((((('{"id":'::text || (id)::text) || ',"hotel_id":'::text) || (hotel_id)::text) || ',"event_timestamp":"'::text) || rfc3339(event_timestamp)) || '","status":'::text) || (status)::text) || ',"room_id":'::text) || CASE WHEN (length(room_id) < 20) THEN room_id ELSE (('"'::text || room_id) || '"'::text) END) || ',"night_of_stay":"'::text) || iso_date((night_of_stay)::timestamp without time zone)) || '"}'::text);

CREATE FUNCTION calendar_nights(shown text, first date, until date) RETURNS TABLE(night date, status text)
    LANGUAGE plpgsql STABLE
    AS $$
DECLARE
    owner record;
    first_stretch date;
    free datemultirange;
    taken datemultirange;
    blocked datemultirange;
    in_feed datemultirange;
    held CONSTANT datemultirange := nights_of_other_sites(shown, daterange(first, until));
BEGIN
    SELECT hotel_id, room_id, on_sale INTO owner FROM property WHERE property_id = shown;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT first_night INTO first_stretch
      FROM free_stretch
     WHERE property_id = shown
       AND first_night <= first
     ORDER BY first_night DESC
     LIMIT 1;
    first_stretch := coalesce(first_stretch, first);
    SELECT range_agg(nights) INTO free
      FROM free_stretch
     WHERE property_id = shown
       AND first_night >= first_stretch
       AND first_night < until;
    SELECT range_agg(daterange(arrival, departure)) INTO taken
      FROM reservation
     WHERE property_id = shown
       AND cancelled_at IS NULL
       AND arrival > first - 366
       AND arrival < until;
    SELECT range_agg(daterange(first_night, end_date)) INTO blocked
      FROM property_block
     WHERE property_id = shown
       AND first_night > first - 366
       AND first_night < until;
    IF owner.hotel_id IS NOT NULL THEN
        SELECT range_agg(daterange(booked.night, booked.night + 1)) INTO in_feed
          FROM nights_booked_in_feed(owner.hotel_id, owner.room_id, first, until) AS booked;
    END IF;
    RETURN QUERY
    SELECT first + i,
           CASE
               WHEN free @> (first + i) THEN 'free'
               WHEN NOT owner.on_sale
                   OR taken @> (first + i)
                   OR blocked @> (first + i)
                   OR in_feed @> (first + i)
                   OR held @> (first + i) THEN 'taken'
               ELSE 'turnover'
           END
      FROM generate_series(0, until - first - 1) AS i
     ORDER BY i;
END
$$;

CREATE FUNCTION check_dining_first_status() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF new.status NOT IN ('waiting', 'confirmed') THEN
        RAISE EXCEPTION 'a booking cannot begin as %', new.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'dining_booking_transition';
    END IF;
    RETURN new;
END
$$;

CREATE FUNCTION check_dining_transition() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF old.erased_at IS NULL AND new.erased_at IS NOT NULL
        AND to_jsonb(new) - ARRAY['email', 'phone', 'name', 'notes', 'reason', 'erased_at', 'ends_at']
        = to_jsonb(old) - ARRAY['email', 'phone', 'name', 'notes', 'reason', 'erased_at', 'ends_at']
    THEN
        RETURN new; -- the guest is erased, and nothing else; ends_at is computed later
    END IF;
    IF NOT (
        (old.status = 'waiting' AND new.status IN ('confirmed', 'declined', 'cancelled', 'expired'))
        OR (old.status = 'confirmed' AND new.status = 'cancelled')
    ) THEN
        RAISE EXCEPTION 'a booking that is % cannot become %', old.status, new.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'dining_booking_transition';
    END IF;
    new.changed_at := clock_timestamp();
    RETURN new;
END
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

CREATE FUNCTION computed_free_nights(property text) RETURNS datemultirange
    LANGUAGE sql STABLE
    AS $$
SELECT datemultirange(every.nights) - blocked_nights(property, every.nights)
  FROM (SELECT daterange('1900-01-01', '2200-01-01')) AS every (nights)
$$;

CREATE FUNCTION create_property(given_id text, about text, turnover smallint, hotel bigint, room text, owner uuid, is_on_sale boolean DEFAULT true, zone text DEFAULT NULL::text, fewest_nights smallint DEFAULT 1, most_guests smallint DEFAULT NULL::smallint) RETURNS text
    LANGUAGE plpgsql
    AS $$
DECLARE
    new_id text := coalesce(given_id, uuidv7()::text);
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7240911007);
    PERFORM note_time_zone(zone);
    INSERT INTO property (
        property_id, description, turnover_days, hotel_id, room_id, holder, on_sale, timezone, min_nights, max_guests
    )
    VALUES (new_id, about, turnover, hotel, room, owner, is_on_sale, zone, fewest_nights, most_guests)
    ON CONFLICT (property_id) DO NOTHING;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF hotel IS NOT NULL AND is_distributed('property') THEN
        PERFORM note_room_link(new_id);
    END IF;
    RETURN new_id;
END
$$;

CREATE FUNCTION draw_event_ids(number_of_ids integer, by_node boolean) RETURNS bigint[]
    LANGUAGE plpgsql
    AS $$
DECLARE
    drawn CONSTANT bigint[] := ARRAY(SELECT nextval('booking_event_id') FROM generate_series(1, number_of_ids));
    taken bigint[];
    new bigint[];
BEGIN
    SELECT array_agg(id) INTO taken FROM booking_event WHERE id = ANY (drawn);
    new := ARRAY(SELECT id FROM unnest(drawn) AS id WHERE taken IS NULL OR id <> ALL (taken));
    IF by_node AND is_distributed('booking_event') THEN
        new := ARRAY(
            SELECT id FROM unnest(new) AS id ORDER BY get_shard_id_for_distribution_column('booking_event', id), id
        );
    END IF;
    RETURN new;
END
$$;

CREATE FUNCTION estimated_events() RETURNS bigint
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF is_distributed('booking_event') THEN
        RETURN (SELECT number_of_rows FROM row_counts() WHERE table_name = 'booking_event');
    END IF;
    RETURN (SELECT reltuples::bigint FROM pg_class WHERE oid = 'booking_event'::regclass);
END
$$;

CREATE FUNCTION explain_refusals(lines bigint[], property_ids text[], arrivals date[], numbers_of_nights integer[]) RETURNS TABLE(line bigint, is_property_known boolean, booked_night date, stay_arrival date, stay_departure date, is_online boolean, is_imported boolean, is_overlapping boolean, turnover smallint, stay_id uuid, blocked_night date)
    LANGUAGE plpgsql
    AS $$
DECLARE
    given record;
    owner record;
    stay record;
BEGIN
    FOR given IN
        SELECT row.line, row.property_id, row.arrival, row.arrival + row.nights AS departure
          FROM unnest(lines, property_ids, arrivals, numbers_of_nights) AS row (line, property_id, arrival, nights)
         ORDER BY row.line
    LOOP
        SELECT turnover_days, hotel_id, room_id INTO owner FROM property WHERE property_id = given.property_id;
        is_property_known := FOUND;
        SELECT reservation_id, arrival, departure, holder INTO stay
          FROM reservation
         WHERE property_id = given.property_id
           AND imported_nights = daterange(given.arrival, given.departure);
        is_imported := FOUND;
        IF NOT is_imported THEN
            SELECT reservation_id, arrival, departure, holder INTO stay
              FROM reservation
             WHERE property_id = given.property_id
               AND cancelled_at IS NULL
               AND arrival < given.departure + owner.turnover_days
               AND free_from > given.arrival
             ORDER BY daterange(arrival, departure) && daterange(given.arrival, given.departure) DESC, arrival
             LIMIT 1;
        END IF;
        SELECT min(night) INTO booked_night
          FROM nights_booked_in_feed(owner.hotel_id, owner.room_id, given.arrival, given.departure);
        SELECT min(greatest(first_night, given.arrival)) INTO blocked_night
          FROM property_block
         WHERE property_id = given.property_id
           AND first_night < given.departure
           AND first_night > given.arrival - 366
           AND end_date > given.arrival;
        blocked_night := least(
            blocked_night,
            lower(
                nights_of_other_sites(given.property_id, daterange(given.arrival, given.departure))
                * datemultirange(daterange(given.arrival, given.departure))
            )
        );
        line := given.line;
        stay_arrival := stay.arrival;
        stay_departure := stay.departure;
        is_online := stay.holder IS NOT NULL;
        is_overlapping := daterange(stay.arrival, stay.departure) && daterange(given.arrival, given.departure);
        turnover := owner.turnover_days;
        stay_id := stay.reservation_id;
        RETURN NEXT;
    END LOOP;
END
$$;

CREATE FUNCTION give_up_nights(hotel bigint, room text, given_up date[]) RETURNS SETOF date
    LANGUAGE plpgsql
    AS $$
DECLARE
    watched text := lower(room COLLATE "C");
    given date;
    on_the_books integer;
    is_booked_by_others boolean;
    cancelled_by_others date[] := '{}';
    cancellation bigint;
    linked CONSTANT text := (SELECT property_id FROM linked_room WHERE hotel_id = hotel AND room_key = watched);
    now CONSTANT timestamptz := clock_timestamp();
BEGIN
    FOREACH given IN ARRAY given_up LOOP
        SELECT coalesce(sum(CASE status WHEN 1 THEN 1 ELSE -1 END), 0),
               coalesce(
                   (array_agg(status ORDER BY event_timestamp DESC, id DESC) FILTER (WHERE NOT by_storefront))[1] = 1,
                   FALSE
               )
          INTO on_the_books, is_booked_by_others
          FROM watched_event
         WHERE hotel_id = hotel
           AND room_key = watched
           AND night_of_stay = given;
        IF on_the_books > is_booked_by_others::integer THEN
            RETURN NEXT given;
        ELSE
            cancelled_by_others := cancelled_by_others || given;
        END IF;
    END LOOP;
    FOREACH given IN ARRAY cancelled_by_others LOOP
        SELECT id INTO cancellation
          FROM watched_event
         WHERE hotel_id = hotel
           AND room_key = watched
           AND night_of_stay = given
           AND NOT by_storefront
           AND status = 2
         ORDER BY event_timestamp, id
         LIMIT 1;
        UPDATE watched_event
           SET by_storefront = TRUE, event_timestamp = now
         WHERE hotel_id = hotel
           AND room_key = watched
           AND night_of_stay = given
           AND id = cancellation;
        IF linked IS NOT NULL THEN
            PERFORM settle_free_nights(linked, daterange(given, given, '[]'));
        END IF;
    END LOOP;
END
$$;

CREATE FUNCTION import_properties(ids text[], descriptions text[]) RETURNS TABLE(stored_id text)
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7240911007);
    IF is_distributed('property') THEN
        SET LOCAL citus.multi_shard_modify_mode TO sequential;
    END IF;
    FOR stored_id IN
        INSERT INTO property (property_id, description)
        SELECT * FROM unnest(ids, descriptions)
        ON CONFLICT (property_id) DO NOTHING
        RETURNING property_id
    LOOP
        RETURN NEXT;
    END LOOP;
END
$$;

CREATE FUNCTION import_reservations(lines bigint[], property_ids text[], arrivals date[], numbers_of_nights integer[]) RETURNS TABLE(first_line bigint, stay_id uuid, first_night date, end_date date, room_hotel_id bigint, room text, occurred_at timestamp with time zone)
    LANGUAGE plpgsql
    AS $$
DECLARE
    booked_lines bigint[];
    new_reservation reservation;
    stored reservation[] := '{}';
BEGIN
    SELECT coalesce(array_agg(line), '{}') INTO booked_lines
      FROM unnest(lines, property_ids, arrivals, numbers_of_nights) AS given (line, property_id, arrival, nights)
      JOIN linked_room USING (property_id)
     WHERE EXISTS (SELECT 1 FROM nights_booked_in_feed(hotel_id, room_key, arrival, arrival + nights));
    IF is_distributed('reservation') THEN
        SET LOCAL citus.multi_shard_modify_mode TO sequential;
    END IF;
    FOR new_reservation IN
        INSERT INTO reservation (property_id, arrival, departure, imported_nights, hotel_id, room_id)
        SELECT property_id, arrival, arrival + nights, daterange(arrival, arrival + nights), hotel_id, room_id
          FROM unnest(lines, property_ids, arrivals, numbers_of_nights) AS given (line, property_id, arrival, nights)
          JOIN property USING (property_id)
         WHERE line <> ALL (booked_lines)
           AND NOT EXISTS (
               SELECT 1
                 FROM property_block AS block
                WHERE block.property_id = property.property_id
                  AND block.first_night < arrival + nights
                  AND block.first_night > arrival - 366
                  AND block.end_date > arrival
           )
           AND NOT EXISTS ( -- no function: on a cluster it would ask other nodes from within a node
               SELECT 1
                 FROM held_nights AS held
                WHERE held.property_id = property.property_id
                  AND held.first_night < arrival + nights
                  AND held.first_night > arrival - 366
                  AND held.end_date > arrival
           )
         ORDER BY property_id COLLATE "C", line
        ON CONFLICT DO NOTHING
        RETURNING *
    LOOP
        stored := stored || new_reservation;
    END LOOP;
    RETURN QUERY
    WITH noted AS (
        SELECT new.reservation_id, min(given.line) AS line
          FROM unnest(stored) AS new
          JOIN unnest(lines, property_ids, arrivals, numbers_of_nights) AS given (line, property_id, arrival, nights)
            ON given.property_id = new.property_id
           AND given.arrival = new.arrival
           AND given.nights = new.departure - new.arrival
         GROUP BY new.reservation_id
    )
    SELECT noted.line, new.reservation_id, new.arrival, new.departure, new.hotel_id, new.room_id, clock_timestamp()
      FROM noted
      JOIN unnest(stored) AS new USING (reservation_id)
     ORDER BY noted.line;
END
$$;

CREATE FUNCTION insert_free_nights(property text, free datemultirange, segment_of_property integer) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    owner record;
    part daterange;
BEGIN
    SELECT min_nights, coalesce(max_guests, 1000) AS max_guests, timezone INTO owner
      FROM property AS each
     WHERE each.property_id = property;
    IF NOT FOUND THEN
        RETURN; -- the property is being deleted, and its blocks with it
    END IF;
    FOREACH part IN ARRAY ARRAY(SELECT unnest(free)) LOOP
        INSERT INTO free_stretch (property_id, first_night, end_date, segment, min_nights, max_guests, timezone)
        VALUES (
            property, lower(part), upper(part), segment_of_property, owner.min_nights, owner.max_guests, owner.timezone
        );
    END LOOP;
END
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

CREATE FUNCTION keep_blocks_free_of_stays() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM lock_property(NEW.property_id);
    PERFORM 1
       FROM reservation
      WHERE property_id = NEW.property_id
        AND cancelled_at IS NULL
        AND arrival < NEW.end_date
        AND arrival > NEW.first_night - 366
        AND departure > NEW.first_night
      LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'a night of the block is reserved'
            USING ERRCODE = 'exclusion_violation',
                  TABLE = 'property_block',
                  CONSTRAINT = 'property_block_free_of_stays';
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION keep_free_stretches() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    changed text := coalesce(NEW.property_id, OLD.property_id);
    turnover integer;
    first date;
    divided record;
BEGIN
    IF TG_OP = 'INSERT' AND NEW.cancelled_at IS NULL THEN
        first := NEW.arrival - (NEW.free_from - NEW.departure);
        SELECT first_night, end_date, segment, min_nights, max_guests, timezone INTO divided
          FROM free_stretch
         WHERE property_id = NEW.property_id
           AND first_night <= first
         ORDER BY first_night DESC
         LIMIT 1;
        IF divided.end_date >= NEW.free_from THEN
            IF divided.first_night < first THEN
                UPDATE free_stretch SET end_date = first
                 WHERE property_id = NEW.property_id AND first_night = divided.first_night;
            ELSE
                DELETE FROM free_stretch
                 WHERE property_id = NEW.property_id AND first_night = divided.first_night;
            END IF;
            IF divided.end_date > NEW.free_from THEN
                INSERT INTO free_stretch (
                    property_id, first_night, end_date, segment, min_nights, max_guests, timezone
                )
                VALUES (
                    NEW.property_id, NEW.free_from, divided.end_date, divided.segment, divided.min_nights,
                    divided.max_guests, divided.timezone
                );
            END IF;
        ELSE
            PERFORM take_nights(NEW.property_id, first, NEW.free_from);
        END IF;
        RETURN NULL;
    END IF;
    IF TG_OP = 'DELETE' THEN
        PERFORM lock_property(OLD.property_id);
    END IF;
    SELECT turnover_days INTO turnover FROM property WHERE property_id = changed;
    IF TG_OP <> 'INSERT' AND OLD.cancelled_at IS NULL THEN
        PERFORM settle_free_nights(OLD.property_id, daterange(OLD.arrival - turnover, OLD.free_from));
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.cancelled_at IS NULL THEN
        PERFORM take_nights(NEW.property_id, NEW.arrival - turnover, NEW.free_from);
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION keep_turnover() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    owner record;
BEGIN
    PERFORM lock_property(NEW.property_id);
    SELECT turnover_days,
           hotel_id,
           room_id,
           on_sale,
           NEW.cancelled_at IS NULL AND EXISTS (
               SELECT FROM property_block
                WHERE property_id = NEW.property_id
                  AND first_night < NEW.departure
                  AND first_night > NEW.arrival - 366
                  AND end_date > NEW.arrival
           ) AS is_blocked
      INTO owner
      FROM property
     WHERE property_id = NEW.property_id;
    IF TG_OP = 'UPDATE' AND NEW.property_id <> OLD.property_id THEN
        RAISE EXCEPTION 'a reservation stays with its property' USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'INSERT' AND (NEW.hotel_id, NEW.room_id) IS DISTINCT FROM (owner.hotel_id, owner.room_id) THEN
        RAISE EXCEPTION 'property % is linked to another room', NEW.property_id USING ERRCODE = 'serialization_failure';
    END IF;
    IF NOT owner.on_sale AND NEW.cancelled_at IS NULL AND (
        (TG_OP = 'INSERT' AND NEW.holder IS NOT NULL)
        OR (TG_OP = 'UPDATE' AND (NEW.arrival < OLD.arrival OR NEW.departure > OLD.departure))
    ) THEN
        RAISE EXCEPTION 'property % is not on sale', NEW.property_id
            USING ERRCODE = 'check_violation',
                  TABLE = 'reservation',
                  CONSTRAINT = 'reservation_on_sale';
    END IF;
    IF owner.is_blocked THEN
        RAISE EXCEPTION 'a night of the stay is blocked'
            USING ERRCODE = 'exclusion_violation',
                  TABLE = 'reservation',
                  CONSTRAINT = 'reservation_no_blocked_night';
    END IF;
    IF TG_OP = 'INSERT' AND NEW.hotel_id IS NOT NULL THEN
        PERFORM 1 FROM nights_booked_in_feed(NEW.hotel_id, NEW.room_id, NEW.arrival, NEW.departure) LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'the feed has a night of the stay as booked'
                USING ERRCODE = 'exclusion_violation',
                      TABLE = 'reservation',
                      CONSTRAINT = 'reservation_no_night_of_the_feed';
        END IF;
    END IF;
    IF TG_OP = 'INSERT' OR NEW.departure <> OLD.departure OR OLD.cancelled_at IS NOT NULL THEN
        NEW.free_from := NEW.departure + coalesce(owner.turnover_days, 0);
        IF TG_OP = 'UPDATE' AND OLD.cancelled_at IS NULL AND NEW.departure BETWEEN OLD.arrival + 1 AND OLD.departure THEN
            NEW.free_from := least(NEW.free_from, OLD.free_from);
        END IF;
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION link_room() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        DELETE FROM linked_room WHERE property_id = OLD.property_id;
    ELSIF TG_OP = 'UPDATE' OR NEW.hotel_id IS NOT NULL THEN
        PERFORM note_room_link(NEW.property_id);
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION lock_all_properties() RETURNS void
    LANGUAGE sql
    AS $$ SELECT pg_advisory_xact_lock(7240911008) $$;

CREATE FUNCTION lock_properties(locked text[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    next_id text;
BEGIN
    FOR next_id IN SELECT id FROM unnest(locked) AS id ORDER BY node_order(id), id COLLATE "C" LOOP
        PERFORM lock_property(property_id) FROM property WHERE property_id = next_id;
    END LOOP;
END
$$;

CREATE FUNCTION lock_property(locked text) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7240911008), pg_advisory_xact_lock(hashtextextended(locked, 7240912));
END
$$;

CREATE FUNCTION lock_property_of_held_nights() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM lock_property(NEW.property_id);
    RETURN NEW;
END
$$;

CREATE FUNCTION move_to_segment(source integer, target integer, properties integer) RETURNS integer
    LANGUAGE plpgsql
    AS $$
DECLARE
    is_locked boolean := pg_try_advisory_xact_lock(7240911007);
    start_id text COLLATE "C";
    end_id text COLLATE "C";
    moved text[];
    now CONSTANT timestamptz := clock_timestamp();
BEGIN
    IF NOT is_locked THEN
        RETURN 0;
    END IF;
    SELECT first_id INTO start_id FROM property_segment WHERE segment = source;
    SELECT min(first_id) INTO end_id FROM property_segment WHERE first_id > start_id;
    SELECT array_agg(property_id ORDER BY property_id) INTO moved
      FROM (
          SELECT property_id
            FROM property
           WHERE property_id >= start_id
             AND (end_id IS NULL OR property_id < end_id)
           ORDER BY property_id DESC
           LIMIT properties
      ) AS last;
    PERFORM lock_properties(moved);
    UPDATE free_stretch SET segment = target WHERE property_id = ANY (moved);
    INSERT INTO property_segment (segment, first_id, moved_at) VALUES (target, moved[1], now)
    ON CONFLICT (segment) DO UPDATE SET first_id = excluded.first_id, moved_at = excluded.moved_at;
    RETURN cardinality(moved);
END
$$;

CREATE FUNCTION nights_booked_in_feed(hotel bigint, room text, first_night date, end_date date) RETURNS TABLE(night date, by_storefront boolean, event_id bigint)
    LANGUAGE plpgsql STABLE
    AS $$
BEGIN
    IF hotel IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT night_of_stay, latest.by_storefront, id
      FROM (
          SELECT DISTINCT ON (night_of_stay, event.by_storefront) night_of_stay, event.by_storefront, id, status
            FROM watched_event AS event
           WHERE hotel_id = hotel
             AND room_key = lower(room COLLATE "C")
             AND night_of_stay >= first_night
             AND night_of_stay < end_date
           ORDER BY night_of_stay, event.by_storefront, event_timestamp DESC, id DESC
      ) AS latest
     WHERE status = 1;
END
$$;

CREATE FUNCTION nights_of_other_sites(property text, within daterange) RETURNS datemultirange
    LANGUAGE sql STABLE
    AS $$
SELECT coalesce(range_agg(daterange(first_night, end_date)), '{}')
  FROM held_nights
 WHERE property_id = property
   AND first_night > lower(within) - 366
   AND first_night < upper(within)
   AND end_date > lower(within)
$$;

CREATE FUNCTION nights_off_sale_changed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM lock_property(OLD.property_id);
        PERFORM settle_free_nights(OLD.property_id, daterange(OLD.first_night, OLD.end_date));
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM take_nights(NEW.property_id, NEW.first_night, NEW.end_date);
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION nights_sold_by_another(linked text) RETURNS SETOF date
    LANGUAGE plpgsql STABLE
    AS $$
DECLARE
    room record;
    stay record;
BEGIN
    SELECT hotel_id, room_id INTO room FROM property WHERE property_id = linked;
    FOR stay IN
        SELECT arrival, departure
          FROM reservation
         WHERE property_id = linked
           AND cancelled_at IS NULL
           AND hotel_id IS NULL
    LOOP
        RETURN QUERY
        SELECT night
          FROM nights_booked_in_feed(room.hotel_id, room.room_id, stay.arrival, stay.departure)
         WHERE by_storefront;
    END LOOP;
END
$$;

CREATE FUNCTION node_order(property text) RETURNS bigint
    LANGUAGE plpgsql STABLE
    AS $$
BEGIN
    IF is_distributed('property') THEN
        RETURN get_shard_id_for_distribution_column('property', property);
    END IF;
    RETURN 0;
END
$$;

CREATE TABLE watched_event (
    hotel_id bigint NOT NULL,
    room_key text NOT NULL COLLATE pg_catalog."C",
    night_of_stay date NOT NULL,
    by_storefront boolean NOT NULL,
    event_timestamp timestamp with time zone NOT NULL,
    id bigint NOT NULL,
    status smallint NOT NULL
);

CREATE FUNCTION note_events(events watched_event[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    are_many boolean;
    changed record;
BEGIN
    INSERT INTO watched_event (hotel_id, room_key, night_of_stay, by_storefront, event_timestamp, id, status)
    SELECT hotel_id, room_key, night_of_stay, by_storefront, event_timestamp, id, status
      FROM unnest(events)
    ON CONFLICT DO NOTHING;
    SELECT count(DISTINCT property_id) > 500 AND NOT is_distributed('property') INTO are_many
      FROM unnest(events)
      JOIN linked_room USING (hotel_id, room_key);
    IF are_many THEN
        PERFORM lock_all_properties();
    END IF;
    FOR changed IN
        SELECT property_id, daterange(min(night_of_stay), max(night_of_stay), '[]') AS nights
          FROM unnest(events)
          JOIN linked_room USING (hotel_id, room_key)
         GROUP BY property_id
         ORDER BY node_order(property_id), property_id
    LOOP
        IF NOT are_many THEN
            PERFORM lock_property(property_id) FROM property WHERE property_id = changed.property_id;
        END IF;
        PERFORM settle_free_nights(changed.property_id, changed.nights);
    END LOOP;
END
$$;

CREATE FUNCTION note_room_link(changed text) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    linked record;
BEGIN
    SELECT hotel_id, room_id INTO linked FROM property WHERE property_id = changed;
    DELETE FROM linked_room WHERE property_id = changed;
    IF linked.hotel_id IS NOT NULL THEN
        INSERT INTO linked_room (hotel_id, room_key, property_id)
        VALUES (linked.hotel_id, lower(linked.room_id), changed);
        PERFORM watch_room(linked.hotel_id, linked.room_id);
    END IF;
    PERFORM lock_property(property_id) FROM property WHERE property_id = changed;
    PERFORM settle_free_nights(changed, daterange('1900-01-01', '2200-01-01'));
END
$$;

CREATE FUNCTION note_time_zone(zone text) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF zone IS NOT NULL AND NOT EXISTS (SELECT FROM property_time_zone WHERE timezone = zone) THEN
        INSERT INTO property_time_zone VALUES (zone) ON CONFLICT DO NOTHING;
    END IF;
END
$$;

CREATE FUNCTION note_watched_events() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    watched watched_event[];
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7240911006);
    IF NOT EXISTS (SELECT FROM watched_room) THEN
        RETURN NULL;
    END IF;
    SELECT array_agg(ROW(
               hotel_id, room_key, night_of_stay, by_storefront, event_timestamp, id, status
           )::watched_event)
      INTO watched
      FROM new_event
      JOIN watched_room USING (hotel_id)
     WHERE room_key = lower(room_id COLLATE "C");
    IF watched IS NOT NULL THEN
        PERFORM note_events(watched);
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION property_created() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7240911007);
    IF NEW.on_sale THEN
        INSERT INTO free_stretch (property_id, first_night, end_date, segment, min_nights, max_guests, timezone)
        VALUES (
            NEW.property_id, '1900-01-01', '2200-01-01', segment_of(NEW.property_id), NEW.min_nights,
            coalesce(NEW.max_guests, 1000), NEW.timezone
        );
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION property_deleted() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    DELETE FROM free_stretch WHERE property_id = OLD.property_id;
    RETURN NULL;
END
$$;

CREATE FUNCTION recompute_free_stretches(recomputed text) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7240911007);
    PERFORM lock_property(property_id) FROM property WHERE property_id = recomputed;
    DELETE FROM free_stretch WHERE property_id = recomputed;
    IF EXISTS (SELECT 1 FROM property WHERE property_id = recomputed) THEN
        PERFORM insert_free_nights(recomputed, computed_free_nights(recomputed), segment_of(recomputed));
    END IF;
END
$$;

CREATE FUNCTION record_dining_booking_status_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO dining_booking_status_change (table_id, booking_id, status, changed_at, changed_by)
    VALUES (new.table_id, new.id, new.status, new.changed_at, new.changed_by);
    RETURN NULL;
END
$$;

CREATE FUNCTION record_dining_table_price() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO dining_table_price (table_id, price) VALUES (new.table_id, new.price);
    RETURN NULL;
END
$$;

CREATE FUNCTION refuse_booking_event_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'booking events are never changed and never deleted' USING ERRCODE = 'restrict_violation';
END
$$;

CREATE FUNCTION refuse_dining_history_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'the history of tables and bookings is never changed and never deleted'
        USING ERRCODE = 'restrict_violation';
END
$$;

CREATE FUNCTION refuse_nights_of_other_sites() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    stay daterange;
    held datemultirange;
BEGIN
    IF NEW.cancelled_at IS NOT NULL OR NEW.arrival >= NEW.departure THEN
        RETURN NEW;
    END IF;
    PERFORM 1
       FROM held_nights
      WHERE property_id = NEW.property_id
        AND first_night > NEW.arrival - 366
        AND first_night < NEW.departure
        AND end_date > NEW.arrival
      LIMIT 1;
    IF NOT FOUND THEN
        RETURN NEW;
    END IF;
    stay := daterange(NEW.arrival, NEW.departure);
    held := nights_of_other_sites(NEW.property_id, stay) * datemultirange(stay);
    IF TG_OP = 'UPDATE' AND OLD.cancelled_at IS NULL THEN
        held := held - datemultirange(daterange(OLD.arrival, OLD.departure));
    END IF;
    IF NOT isempty(held) THEN
        RAISE EXCEPTION 'another site holds a night of the stay'
            USING ERRCODE = 'exclusion_violation',
                  TABLE = 'reservation',
                  CONSTRAINT = 'reservation_no_night_of_another_site';
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION replace_held_nights(property text, source text, first_nights date[], end_dates date[], uids text[]) RETURNS integer
    LANGUAGE plpgsql
    AS $$
DECLARE
    deleted integer;
    stored integer;
BEGIN
    DELETE FROM held_nights AS held
     WHERE held.property_id = property
       AND held.source_name = source
       AND NOT EXISTS (
           SELECT FROM unnest(first_nights, end_dates) AS due (first_night, end_date)
            WHERE due.first_night = held.first_night
              AND due.end_date = held.end_date
       );
    GET DIAGNOSTICS deleted = ROW_COUNT;
    INSERT INTO held_nights (property_id, source_name, first_night, end_date, uid)
    SELECT property, source, due.first_night, due.end_date, due.uid
      FROM unnest(first_nights, end_dates, uids) AS due (first_night, end_date, uid)
    ON CONFLICT (property_id, source_name, first_night) DO UPDATE SET uid = excluded.uid
     WHERE held_nights.uid <> excluded.uid;
    GET DIAGNOSTICS stored = ROW_COUNT;
    RETURN deleted + stored;
END
$$;

CREATE FUNCTION reserve_nights(wanted text, first date, until date, guest uuid, party smallint, rooms boolean) RETURNS TABLE(new_id uuid, created_at timestamp with time zone, room_hotel_id bigint, room text, occurred_at timestamp with time zone, is_on_sale boolean, fewest_nights smallint, most_guests smallint)
    LANGUAGE plpgsql
    AS $$
DECLARE
    last_free date;
BEGIN
    SELECT hotel_id,
           room_id,
           on_sale,
           min_nights,
           max_guests,
           (
               SELECT end_date
                 FROM free_stretch
                WHERE property_id = wanted
                  AND first_night <= first
                ORDER BY first_night DESC
                LIMIT 1
           )
      INTO room_hotel_id, room, is_on_sale, fewest_nights, most_guests, last_free
      FROM property
     WHERE property_id = wanted;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF last_free >= until
        AND until - first >= fewest_nights
        AND (party > most_guests) IS NOT TRUE
        AND (room_hotel_id IS NULL OR rooms)
    THEN
        INSERT INTO reservation (property_id, arrival, departure, holder, hotel_id, room_id, guests)
        VALUES (wanted, first, until, guest, room_hotel_id, room, party)
        ON CONFLICT DO NOTHING
        RETURNING reservation_id INTO new_id;
    END IF;
    created_at := uuid_extract_timestamp(new_id);
    occurred_at := clock_timestamp();
    RETURN NEXT;
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

CREATE FUNCTION sale_changed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM lock_property(NEW.property_id);
    UPDATE free_stretch
       SET min_nights = NEW.min_nights,
           max_guests = coalesce(NEW.max_guests, 1000),
           timezone = NEW.timezone
     WHERE property_id = NEW.property_id;
    IF NEW.on_sale <> OLD.on_sale THEN
        PERFORM settle_free_nights(NEW.property_id, daterange('1900-01-01', '2200-01-01'));
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION segment_of(property text) RETURNS integer
    LANGUAGE sql STABLE
    AS $$
SELECT segment FROM property_segment WHERE first_id <= property COLLATE "C" ORDER BY first_id DESC LIMIT 1
$$;

CREATE FUNCTION segments_from(start_id text, number_of_segments integer) RETURNS TABLE(segments integer[], boundaries text[], end_id text)
    LANGUAGE plpgsql STABLE
    AS $$
DECLARE
    first record;
BEGIN
    SELECT segment, first_id, moved_at > statement_timestamp() - interval '1 day' AS is_new INTO first
      FROM property_segment
     WHERE first_id <= start_id COLLATE "C"
     ORDER BY first_id DESC
     LIMIT 1;
    SELECT array_agg(segment ORDER BY first_id), array_agg(first_id ORDER BY first_id) INTO segments, boundaries
      FROM (
          SELECT segment, first_id
            FROM property_segment
           WHERE first_id >= first.first_id
           ORDER BY first_id
           LIMIT number_of_segments + 1
      ) AS next;
    IF cardinality(segments) > number_of_segments THEN
        segments := segments[:number_of_segments];
        end_id := boundaries[number_of_segments + 1];
    END IF;
    IF first.is_new THEN
        segments := segments || (
            SELECT segment FROM property_segment WHERE first_id < first.first_id ORDER BY first_id DESC LIMIT 1
        );
    END IF;
    RETURN NEXT;
END
$$;

CREATE FUNCTION settle_free_nights(property text, changed daterange) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    settled daterange := changed * daterange('1900-01-01', '2200-01-01');
    -- stretches that end or begin here touch the range, and become one with what is free in it
    first date := lower(settled);
    until date := upper(settled);
    start date;
    kept datemultirange;
    due datemultirange;
    segment_of_property integer;
BEGIN
    IF isempty(settled) THEN
        RETURN;
    END IF;
    SELECT first_night INTO start
      FROM free_stretch
     WHERE property_id = property
       AND first_night < first
     ORDER BY first_night DESC
     LIMIT 1;
    start := coalesce(start, first);
    SELECT coalesce(range_agg(nights), '{}'), min(segment) INTO kept, segment_of_property
      FROM free_stretch
     WHERE property_id = property
       AND first_night >= start
       AND first_night <= until
       AND end_date >= first;
    due := kept - datemultirange(settled) + (datemultirange(settled) - blocked_nights(property, settled));
    IF due = kept THEN
        RETURN;
    END IF;
    DELETE FROM free_stretch
     WHERE property_id = property
       AND first_night = ANY (ARRAY(SELECT lower(each) FROM unnest(kept) AS each));
    PERFORM insert_free_nights(property, due, coalesce(segment_of_property, segment_of(property)));
END
$$;

CREATE FUNCTION settle_turnover(settled text, since date, until date) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE reservation AS stay
       SET free_from = due.free_from
      FROM (
          SELECT each.reservation_id,
                 least(each.departure + property.turnover_days, (
                     SELECT following.arrival
                       FROM reservation AS following
                      WHERE following.property_id = settled
                        AND following.cancelled_at IS NULL
                        AND following.arrival > each.arrival
                      ORDER BY following.arrival
                      LIMIT 1
                 )) AS free_from
            FROM reservation AS each
            JOIN property USING (property_id)
           WHERE property_id = settled
             AND each.cancelled_at IS NULL
             AND each.arrival BETWEEN since AND until
      ) AS due
     WHERE stay.property_id = settled
       AND stay.reservation_id = due.reservation_id
       AND stay.free_from <> due.free_from;
END
$$;

CREATE FUNCTION share_unwatched_hotels(hotels bigint[]) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7240911006);
    PERFORM 1 FROM watched_room WHERE hotel_id = ANY (hotels) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'a hotel has watched rooms' USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN false;
END
$$;

CREATE FUNCTION shown_nights(shown text, since date, without_source text) RETURNS TABLE(kind text, origin uuid, first_night date, end_date date, uid text)
    LANGUAGE plpgsql STABLE
    AS $$
DECLARE
    owner record;
    stays datemultirange;
    around datemultirange;
    part daterange;
BEGIN
    SELECT turnover_days, hotel_id, room_id INTO owner FROM property WHERE property_id = shown;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT 'stay', stay.reservation_id, stay.arrival, stay.departure, NULL
      FROM reservation AS stay
     WHERE stay.property_id = shown
       AND stay.cancelled_at IS NULL
       AND stay.arrival > since - 366
       AND stay.departure > since;
    SELECT coalesce(range_agg(daterange(stay.arrival, stay.departure)), '{}'),
           coalesce(range_agg(daterange(stay.arrival - owner.turnover_days, stay.free_from)), '{}')
      INTO stays, around
      FROM reservation AS stay
     WHERE stay.property_id = shown
       AND stay.cancelled_at IS NULL
       AND stay.arrival > since - 731;
    FOREACH part IN ARRAY ARRAY(SELECT unnest(around - stays)) LOOP
        CONTINUE WHEN upper(part) <= since;
        RETURN QUERY
        SELECT 'turnover', stay.reservation_id, lower(part), upper(part), NULL
          FROM reservation AS stay
         WHERE stay.property_id = shown
           AND stay.cancelled_at IS NULL
           AND stay.arrival > lower(part) - 366
           AND stay.arrival <= upper(part)
           AND (stay.departure = lower(part) OR stay.arrival = upper(part))
         ORDER BY stay.arrival
         LIMIT 1;
    END LOOP;
    RETURN QUERY
    SELECT 'block', block.block_id, block.first_night, block.end_date, NULL
      FROM property_block AS block
     WHERE block.property_id = shown
       AND block.first_night > since - 366
       AND block.end_date > since;
    RETURN QUERY
    SELECT 'feed', NULL::uuid, lower(booked), upper(booked), NULL
      FROM (
          SELECT unnest(range_agg(daterange(night, night + 1)) - stays) AS booked
            FROM nights_booked_in_feed(owner.hotel_id, owner.room_id, since, '2200-01-01')
      ) AS in_feed;
    RETURN QUERY
    SELECT 'held', source.source_id, held.first_night, held.end_date, held.uid
      FROM held_nights AS held
      JOIN calendar_source AS source
        ON source.property_id = held.property_id
       AND source.name = held.source_name
     WHERE held.property_id = shown
       AND held.source_name IS DISTINCT FROM without_source
       AND held.end_date > since;
END
$$;

CREATE FUNCTION stay_left() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM settle_turnover(OLD.property_id, OLD.arrival - 730, OLD.arrival);
    RETURN NULL;
END
$$;

CREATE FUNCTION store_events(ids bigint[], hotel_ids bigint[], event_timestamps timestamp with time zone[], statuses smallint[], room_ids text[], nights date[], by_storefronts boolean[]) RETURNS TABLE(stored_id bigint, stored_body text)
    LANGUAGE plpgsql
    AS $$
DECLARE
    few CONSTANT integer := 20;
    given record;
    stored_ids bigint[] := '{}';
    watched watched_event[];
BEGIN
    IF NOT is_distributed('booking_event') THEN
        RETURN QUERY
        INSERT INTO booking_event (id, hotel_id, event_timestamp, status, room_id, night_of_stay, by_storefront)
        SELECT *
          FROM unnest(ids, hotel_ids, event_timestamps, statuses, room_ids, nights, by_storefronts)
        ON CONFLICT (id) DO NOTHING
        RETURNING id, body;
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock_shared(7240911006);
    IF cardinality(ids) <= few THEN
        FOR given IN
            SELECT *
              FROM unnest(ids, hotel_ids, event_timestamps, statuses, room_ids, nights, by_storefronts)
                AS event (id, hotel_id, event_timestamp, status, room_id, night_of_stay, by_storefront)
             ORDER BY get_shard_id_for_distribution_column('booking_event', id), id
        LOOP
            INSERT INTO booking_event AS stored (
                id, hotel_id, event_timestamp, status, room_id, night_of_stay, by_storefront
            )
            VALUES (
                given.id, given.hotel_id, given.event_timestamp, given.status, given.room_id, given.night_of_stay,
                given.by_storefront
            )
            ON CONFLICT (id) DO NOTHING
            RETURNING stored.id, stored.body INTO stored_id, stored_body;
            IF FOUND THEN
                stored_ids := stored_ids || stored_id;
                RETURN NEXT;
            END IF;
        END LOOP;
    ELSE
        SET LOCAL citus.multi_shard_modify_mode TO sequential;
        FOR stored_id, stored_body IN
            INSERT INTO booking_event AS stored (
                id, hotel_id, event_timestamp, status, room_id, night_of_stay, by_storefront
            )
            SELECT *
              FROM unnest(ids, hotel_ids, event_timestamps, statuses, room_ids, nights, by_storefronts)
            ON CONFLICT (id) DO NOTHING
            RETURNING stored.id, stored.body
        LOOP
            stored_ids := stored_ids || stored_id;
            RETURN NEXT;
        END LOOP;
    END IF;
    IF EXISTS (SELECT FROM watched_room WHERE hotel_id = ANY (hotel_ids)) THEN
        SELECT array_agg(ROW(
                   hotel_id, room_key, night_of_stay, by_storefront, event_timestamp, id, status
               )::watched_event)
          INTO watched
          FROM unnest(ids, hotel_ids, event_timestamps, statuses, room_ids, nights, by_storefronts)
            AS event (id, hotel_id, event_timestamp, status, room_id, night_of_stay, by_storefront)
          JOIN watched_room USING (hotel_id)
         WHERE room_key = lower(room_id COLLATE "C")
           AND id = ANY (stored_ids);
        IF watched IS NOT NULL THEN
            PERFORM note_events(watched);
        END IF;
    END IF;
END
$$;

CREATE FUNCTION store_staged_events() RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
    is_on_cluster CONSTANT boolean := is_distributed('booking_event');
    number_of_stored bigint := 0;
    stored_id bigint;
    stored_ids bigint[] := '{}';
    watched watched_event[];
BEGIN
    IF is_on_cluster THEN
        PERFORM pg_advisory_xact_lock_shared(7240911006);
        SET LOCAL citus.multi_shard_modify_mode TO sequential;
    END IF;
    -- Not ROW_COUNT: on a cluster that counts the rows that were stored before too.
    FOR stored_id IN
        INSERT INTO booking_event (id, hotel_id, event_timestamp, status, room_id, night_of_stay)
        SELECT id, hotel_id, event_timestamp, status, room_id, night_of_stay
          FROM staged_event
         ORDER BY id, line
        ON CONFLICT (id) DO NOTHING
        RETURNING id
    LOOP
        number_of_stored := number_of_stored + 1;
        IF is_on_cluster THEN
            stored_ids := stored_ids || stored_id;
        END IF;
    END LOOP;
    IF is_on_cluster AND EXISTS (SELECT FROM staged_event JOIN watched_room USING (hotel_id)) THEN
        SELECT array_agg(ROW(
                   stored.hotel_id, room_key, stored.night_of_stay, stored.by_storefront, stored.event_timestamp,
                   stored.id, stored.status
               )::watched_event)
          INTO watched
          FROM booking_event AS stored
          JOIN watched_room USING (hotel_id)
         WHERE stored.id = ANY (stored_ids)
           AND room_key = lower(stored.room_id COLLATE "C");
        IF watched IS NOT NULL THEN
            PERFORM note_events(watched);
        END IF;
    END IF;
    RETURN number_of_stored;
END
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

CREATE FUNCTION take_nights(property text, first date, until date) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    start date;
    cut record;
BEGIN
    SELECT first_night INTO start
      FROM free_stretch
     WHERE property_id = property
       AND first_night <= first
     ORDER BY first_night DESC
     LIMIT 1;
    start := coalesce(start, first);
    FOR cut IN
        DELETE FROM free_stretch
         WHERE property_id = property
           AND first_night >= start
           AND first_night < until
           AND end_date > first
        RETURNING first_night, end_date, segment, min_nights, max_guests, timezone
    LOOP
        IF cut.first_night < first THEN
            INSERT INTO free_stretch (property_id, first_night, end_date, segment, min_nights, max_guests, timezone)
            VALUES (
                property, cut.first_night, first, cut.segment, cut.min_nights, cut.max_guests, cut.timezone
            );
        END IF;
        IF cut.end_date > until THEN
            INSERT INTO free_stretch (property_id, first_night, end_date, segment, min_nights, max_guests, timezone)
            VALUES (
                property, until, cut.end_date, cut.segment, cut.min_nights, cut.max_guests, cut.timezone
            );
        END IF;
    END LOOP;
END
$$;

CREATE FUNCTION turnover_changed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM lock_property(NEW.property_id);
    PERFORM settle_turnover(NEW.property_id, '-infinity', 'infinity');
    PERFORM settle_free_nights(NEW.property_id, daterange('1900-01-01', '2200-01-01'));
    RETURN NULL;
END
$$;

CREATE FUNCTION watch_room(hotel bigint, room text) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    watched text := lower(room COLLATE "C");
BEGIN
    PERFORM pg_advisory_xact_lock(7240911006);
    IF EXISTS (SELECT FROM watched_room WHERE hotel_id = hotel AND room_key = watched) THEN
        RETURN;
    END IF;
    INSERT INTO watched_room (hotel_id, room_key) VALUES (hotel, watched) ON CONFLICT DO NOTHING;
    INSERT INTO watched_event (hotel_id, room_key, night_of_stay, by_storefront, event_timestamp, id, status)
    SELECT hotel_id, watched, night_of_stay, by_storefront, event_timestamp, id, status
      FROM booking_event
     WHERE hotel_id = hotel
       AND lower(room_id COLLATE "C") = watched
    ON CONFLICT DO NOTHING;
END
$$;

CREATE TABLE booking_event (
    id bigint NOT NULL,
    hotel_id bigint NOT NULL,
    event_timestamp timestamp with time zone NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    night_of_stay date NOT NULL,
    status smallint NOT NULL,
    by_storefront boolean DEFAULT false NOT NULL,
    room_id text NOT NULL,
    body text GENERATED ALWAYS AS (booking_event_json(id, hotel_id, event_timestamp, status, room_id, night_of_stay)) STORED NOT NULL,
    CONSTRAINT booking_event_event_timestamp_check CHECK (((event_timestamp >= '1900-01-01 00:00:00+00'::timestamp with time zone) AND (event_timestamp < '2200-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT booking_event_hotel_id_check CHECK ((hotel_id > 0)),
    CONSTRAINT booking_event_id_check CHECK ((id > 0)),
    CONSTRAINT booking_event_night_of_stay_check CHECK (((night_of_stay >= '1900-01-01'::date) AND (night_of_stay <= '2199-12-31'::date))),
    CONSTRAINT booking_event_room_id_check CHECK (
CASE
    WHEN (length(room_id) < 20) THEN (((room_id)::bigint > 0) AND (((room_id)::bigint)::text = room_id))
    ELSE (((room_id)::uuid)::text = lower(room_id))
END),
    CONSTRAINT booking_event_status_check CHECK ((status = ANY (ARRAY[1, 2])))
);

CREATE SEQUENCE booking_event_id
    START WITH 1
    INCREMENT BY 1000
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE calendar_link (
    property_id text NOT NULL COLLATE pg_catalog."C",
    link_id uuid DEFAULT uuidv7() NOT NULL,
    token_digest bytea NOT NULL,
    name text,
    without_source text,
    last_read timestamp with time zone,
    content_digest bytea,
    content_modified timestamp with time zone,
    CONSTRAINT calendar_link_content CHECK (((content_digest IS NULL) = (content_modified IS NULL))),
    CONSTRAINT calendar_link_content_digest_check CHECK ((length(content_digest) = 32)),
    CONSTRAINT calendar_link_content_modified_check CHECK ((content_modified = date_trunc('second'::text, content_modified))),
    CONSTRAINT calendar_link_name_check CHECK (((length(name) >= 1) AND (length(name) <= 100))),
    CONSTRAINT calendar_link_token_digest_check CHECK ((length(token_digest) = 32)),
    CONSTRAINT calendar_link_without_source_check CHECK (((length(without_source) >= 1) AND (length(without_source) <= 64)))
);

CREATE TABLE calendar_source (
    property_id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    source_id uuid DEFAULT uuidv7() NOT NULL,
    url text NOT NULL,
    next_read timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    last_read timestamp with time zone,
    last_success timestamp with time zone,
    last_error text,
    etag text,
    last_modified text,
    content_digest bytea,
    content_since date,
    CONSTRAINT calendar_source_content_digest_check CHECK ((length(content_digest) = 32)),
    CONSTRAINT calendar_source_etag_check CHECK ((length(etag) <= 1000)),
    CONSTRAINT calendar_source_last_error_check CHECK (((length(last_error) >= 1) AND (length(last_error) <= 500))),
    CONSTRAINT calendar_source_last_modified_check CHECK ((length(last_modified) <= 100)),
    CONSTRAINT calendar_source_name_check CHECK ((name ~ '^[A-Za-z0-9_-][A-Za-z0-9._~-]{0,63}$'::text)),
    CONSTRAINT calendar_source_url_check CHECK (((length(url) >= 1) AND (length(url) <= 2000)))
);

CREATE TABLE demo_mail (
    id bigint NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    sender text NOT NULL,
    recipients text[] NOT NULL,
    source bytea NOT NULL
);

ALTER TABLE demo_mail ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME demo_mail_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE dining_booking (
    table_id bigint NOT NULL,
    id bigint NOT NULL,
    status text NOT NULL,
    email text,
    phone text,
    name text,
    guests integer,
    starts_at timestamp with time zone,
    minutes integer NOT NULL,
    ends_at timestamp with time zone GENERATED ALWAYS AS ((((starts_at AT TIME ZONE 'UTC'::text) + ((minutes)::double precision * '00:01:00'::interval)) AT TIME ZONE 'UTC'::text)) STORED,
    price numeric(7,2) NOT NULL,
    notes text,
    reason text,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    changed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    changed_by text NOT NULL,
    erased_at timestamp with time zone,
    CONSTRAINT dining_booking_email_check CHECK ((length(email) <= 254)),
    CONSTRAINT dining_booking_erased CHECK (((erased_at IS NULL) OR (COALESCE(email, phone, name, notes, reason) IS NULL))),
    CONSTRAINT dining_booking_guests_check CHECK (((guests >= 1) AND (guests <= 100))),
    CONSTRAINT dining_booking_minutes_check CHECK (((minutes >= 1) AND (minutes <= 1440))),
    CONSTRAINT dining_booking_name_check CHECK (((length(name) >= 1) AND (length(name) <= 100))),
    CONSTRAINT dining_booking_notes_check CHECK (((length(notes) >= 1) AND (length(notes) <= 500))),
    CONSTRAINT dining_booking_phone_check CHECK ((phone ~ '^\+[0-9]{4,15}$'::text)),
    CONSTRAINT dining_booking_reachable CHECK (((email IS NOT NULL) OR (phone IS NOT NULL) OR (erased_at IS NOT NULL))),
    CONSTRAINT dining_booking_reason_check CHECK (((length(reason) >= 1) AND (length(reason) <= 500))),
    CONSTRAINT dining_booking_starts_at_check CHECK (((starts_at >= '0001-01-01 00:00:00+00'::timestamp with time zone) AND (starts_at < '9999-01-01 00:00:00+00'::timestamp with time zone))),
    CONSTRAINT dining_booking_status_check CHECK ((status = ANY (ARRAY['waiting'::text, 'confirmed'::text, 'declined'::text, 'cancelled'::text, 'expired'::text])))
);

ALTER TABLE dining_booking ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME dining_booking_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE dining_booking_status_change (
    table_id bigint NOT NULL,
    booking_id bigint NOT NULL,
    status text NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    changed_by text NOT NULL
);

CREATE TABLE dining_cancel_token (
    table_id bigint NOT NULL,
    booking_id bigint NOT NULL,
    token_hash bytea NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT dining_cancel_token_token_hash_check CHECK ((length(token_hash) = 32))
);

CREATE TABLE dining_opening_hours (
    day smallint NOT NULL,
    opens_minute smallint NOT NULL,
    closes_minute smallint NOT NULL,
    CONSTRAINT dining_opening_hours_check CHECK (((closes_minute > opens_minute) AND (closes_minute <= (opens_minute + 1440)))),
    CONSTRAINT dining_opening_hours_day_check CHECK (((day >= 0) AND (day <= 6))),
    CONSTRAINT dining_opening_hours_opens_minute_check CHECK (((opens_minute >= 0) AND (opens_minute <= 1439)))
);

CREATE TABLE dining_revoked_token (
    token_id text NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT dining_revoked_token_token_id_check CHECK (((length(token_id) >= 1) AND (length(token_id) <= 64)))
);

CREATE TABLE dining_table (
    table_id bigint NOT NULL,
    table_type text NOT NULL,
    seats integer NOT NULL,
    price numeric(7,2) NOT NULL,
    can_be_booked boolean NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT dining_table_price_check CHECK (((price >= (0)::numeric) AND (price <= 99999.99))),
    CONSTRAINT dining_table_seats_check CHECK (((seats >= 1) AND (seats <= 100))),
    CONSTRAINT dining_table_table_type_check CHECK ((table_type = ANY (ARRAY['regular'::text, 'cabin'::text, 'room'::text])))
);

CREATE TABLE dining_table_price (
    table_id bigint NOT NULL,
    number bigint NOT NULL,
    price numeric(7,2) NOT NULL,
    valid_from timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

ALTER TABLE dining_table_price ALTER COLUMN number ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME dining_table_price_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE dining_table ALTER COLUMN table_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME dining_table_table_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE failed_login (
    login_key text NOT NULL,
    address text NOT NULL,
    failures integer NOT NULL,
    failed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    slowed_until timestamp with time zone
);

CREATE TABLE free_stretch (
    property_id text NOT NULL COLLATE pg_catalog."C",
    first_night date NOT NULL,
    end_date date NOT NULL,
    nights daterange GENERATED ALWAYS AS (daterange(first_night, end_date)) STORED NOT NULL,
    segment integer NOT NULL,
    min_nights integer DEFAULT 1 NOT NULL,
    max_guests integer DEFAULT 1000 NOT NULL,
    timezone text,
    CONSTRAINT free_stretch_end_date_check CHECK ((end_date <= '2200-01-01'::date)),
    CONSTRAINT free_stretch_first_night_check CHECK ((first_night >= '1900-01-01'::date)),
    CONSTRAINT free_stretch_nights CHECK ((first_night < end_date)),
    CONSTRAINT free_stretch_segment_check CHECK ((segment >= 0))
);

CREATE TABLE held_nights (
    property_id text NOT NULL COLLATE pg_catalog."C",
    source_name text NOT NULL COLLATE pg_catalog."C",
    first_night date NOT NULL,
    end_date date NOT NULL,
    uid text NOT NULL,
    CONSTRAINT held_nights_end_date_check CHECK ((end_date <= '2200-01-01'::date)),
    CONSTRAINT held_nights_first_night_check CHECK ((first_night >= '1900-01-01'::date)),
    CONSTRAINT held_nights_number CHECK ((((end_date - first_night) >= 1) AND ((end_date - first_night) <= 365))),
    CONSTRAINT held_nights_uid_check CHECK ((length(uid) <= 255))
);

CREATE TABLE idempotency_key (
    scope text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    answer bytea,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT idempotency_key_key_check CHECK (((length(key) >= 1) AND (length(key) <= 255)))
);

CREATE TABLE issued_token (
    token uuid NOT NULL,
    owner uuid NOT NULL,
    issued_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL
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

CREATE TABLE linked_room (
    hotel_id bigint NOT NULL,
    room_key text NOT NULL COLLATE pg_catalog."C",
    property_id text NOT NULL COLLATE pg_catalog."C"
);

CREATE TABLE migration (
    name text NOT NULL,
    checksum text NOT NULL,
    release integer NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT migration_release_check CHECK ((release > 0))
);

CREATE TABLE offers_product (
    product_id text NOT NULL,
    owner uuid NOT NULL,
    name text NOT NULL,
    description text NOT NULL,
    registered_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT offers_product_product_id_check CHECK (((length(product_id) >= 1) AND (length(product_id) <= 200)))
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

CREATE TABLE polled_store (
    store_id text NOT NULL COLLATE pg_catalog."C",
    timezone text COLLATE pg_catalog."C"
);

CREATE TABLE polled_store_hours (
    store_id text NOT NULL COLLATE pg_catalog."C",
    weekday smallint NOT NULL,
    opens time without time zone NOT NULL,
    closes time without time zone NOT NULL,
    CONSTRAINT polled_store_hours_weekday_check CHECK (((weekday >= 0) AND (weekday <= 6)))
);

CREATE TABLE property (
    property_id text NOT NULL COLLATE pg_catalog."C",
    description text NOT NULL,
    turnover_days smallint DEFAULT 0 NOT NULL,
    on_sale boolean DEFAULT true NOT NULL,
    timezone text,
    min_nights smallint DEFAULT 1 NOT NULL,
    max_guests smallint,
    hotel_id bigint,
    room_id text,
    holder uuid,
    calendar_tag uuid DEFAULT gen_random_uuid() NOT NULL,
    CONSTRAINT property_description_check CHECK (((length(description) >= 1) AND (length(description) <= 2000))),
    CONSTRAINT property_hotel_id_check CHECK ((hotel_id > 0)),
    CONSTRAINT property_id_not_a_route CHECK ((property_id <> 'available'::text)),
    CONSTRAINT property_max_guests_check CHECK (((max_guests >= 1) AND (max_guests <= 1000))),
    CONSTRAINT property_min_nights_check CHECK (((min_nights >= 1) AND (min_nights <= 365))),
    CONSTRAINT property_property_id_check CHECK ((property_id ~ '^[A-Za-z0-9_-][A-Za-z0-9._~-]{0,63}$'::text)),
    CONSTRAINT property_room_id_check CHECK (
CASE
    WHEN (length(room_id) < 20) THEN (((room_id)::bigint > 0) AND (((room_id)::bigint)::text = room_id))
    ELSE (((room_id)::uuid)::text = lower(room_id))
END),
    CONSTRAINT property_timezone_check CHECK (((length(timezone) >= 1) AND (length(timezone) <= 100))),
    CONSTRAINT property_turnover_days_check CHECK (((turnover_days >= 0) AND (turnover_days <= 365))),
    CONSTRAINT property_whole_link CHECK (((hotel_id IS NULL) = (room_id IS NULL)))
);

CREATE TABLE property_block (
    property_id text NOT NULL COLLATE pg_catalog."C",
    block_id uuid DEFAULT uuidv7() NOT NULL,
    first_night date NOT NULL,
    end_date date NOT NULL,
    note text,
    CONSTRAINT property_block_end_date_check CHECK ((end_date <= '2200-01-01'::date)),
    CONSTRAINT property_block_first_night_check CHECK ((first_night >= '1900-01-01'::date)),
    CONSTRAINT property_block_nights CHECK ((((end_date - first_night) >= 1) AND ((end_date - first_night) <= 365))),
    CONSTRAINT property_block_note_check CHECK (((length(note) >= 1) AND (length(note) <= 200)))
);

CREATE TABLE property_segment (
    segment integer NOT NULL,
    first_id text NOT NULL COLLATE pg_catalog."C",
    moved_at timestamp with time zone NOT NULL
);

CREATE TABLE property_time_zone (
    timezone text NOT NULL
);

CREATE TABLE rate_limit (
    key bytea NOT NULL,
    policy text NOT NULL,
    full_at timestamp with time zone NOT NULL
);

CREATE TABLE reservation (
    reservation_id uuid DEFAULT uuidv7() NOT NULL,
    property_id text NOT NULL COLLATE pg_catalog."C",
    arrival date NOT NULL,
    departure date NOT NULL,
    free_from date NOT NULL,
    holder uuid,
    imported_nights daterange,
    hotel_id bigint,
    room_id text,
    guests smallint,
    cancelled_at timestamp with time zone,
    reserved_until date,
    CONSTRAINT reservation_arrival_check CHECK ((arrival >= '1900-01-01'::date)),
    CONSTRAINT reservation_check CHECK ((reserved_until > departure)),
    CONSTRAINT reservation_departure_check CHECK ((departure <= '2200-01-01'::date)),
    CONSTRAINT reservation_free_from CHECK ((free_from >= departure)),
    CONSTRAINT reservation_guests_check CHECK (((guests >= 1) AND (guests <= 1000))),
    CONSTRAINT reservation_nights CHECK ((((departure - arrival) >= 1) AND ((departure - arrival) <= 365))),
    CONSTRAINT reservation_whole_link CHECK (((hotel_id IS NULL) = (room_id IS NULL)))
);

CREATE TABLE store_poll (
    store_id text NOT NULL COLLATE pg_catalog."C",
    polled_at timestamp with time zone NOT NULL,
    active boolean NOT NULL
);

CREATE TABLE store_poll_progress (
    fleet text DEFAULT 'simulated'::text NOT NULL,
    seed bigint NOT NULL,
    stores integer NOT NULL,
    began_at timestamp with time zone NOT NULL,
    polled_until timestamp with time zone NOT NULL,
    CONSTRAINT store_poll_progress_fleet_check CHECK ((fleet = 'simulated'::text)),
    CONSTRAINT store_poll_progress_stores_check CHECK ((stores > 0))
);

CREATE TABLE used_signature (
    signature_hash bytea NOT NULL,
    used_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE watched_room (
    hotel_id bigint NOT NULL,
    room_key text NOT NULL COLLATE pg_catalog."C"
);

ALTER TABLE ONLY booking_event
    ADD CONSTRAINT booking_event_pkey PRIMARY KEY (id);

ALTER TABLE ONLY calendar_link
    ADD CONSTRAINT calendar_link_pkey PRIMARY KEY (property_id, link_id);

ALTER TABLE ONLY calendar_source
    ADD CONSTRAINT calendar_source_pkey PRIMARY KEY (property_id, name);

ALTER TABLE ONLY demo_mail
    ADD CONSTRAINT demo_mail_pkey PRIMARY KEY (id);

ALTER TABLE ONLY dining_booking
    ADD CONSTRAINT dining_booking_overlap EXCLUDE USING gist (table_id WITH =, tstzrange(starts_at, ends_at) WITH &&) WHERE (((status = 'confirmed'::text) AND (starts_at IS NOT NULL)));

ALTER TABLE ONLY dining_booking
    ADD CONSTRAINT dining_booking_pkey PRIMARY KEY (table_id, id);

ALTER TABLE ONLY dining_booking_status_change
    ADD CONSTRAINT dining_booking_status_change_pkey PRIMARY KEY (table_id, booking_id, status);

ALTER TABLE ONLY dining_cancel_token
    ADD CONSTRAINT dining_cancel_token_pkey PRIMARY KEY (table_id, booking_id, token_hash);

ALTER TABLE ONLY dining_opening_hours
    ADD CONSTRAINT dining_opening_hours_pkey PRIMARY KEY (day, opens_minute);

ALTER TABLE ONLY dining_revoked_token
    ADD CONSTRAINT dining_revoked_token_pkey PRIMARY KEY (token_id);

ALTER TABLE ONLY dining_table
    ADD CONSTRAINT dining_table_pkey PRIMARY KEY (table_id);

ALTER TABLE ONLY dining_table_price
    ADD CONSTRAINT dining_table_price_pkey PRIMARY KEY (table_id, number);

ALTER TABLE ONLY failed_login
    ADD CONSTRAINT failed_login_pkey PRIMARY KEY (login_key, address);

ALTER TABLE ONLY free_stretch
    ADD CONSTRAINT free_stretch_pkey PRIMARY KEY (property_id, first_night) INCLUDE (end_date);

ALTER TABLE ONLY held_nights
    ADD CONSTRAINT held_nights_pkey PRIMARY KEY (property_id, source_name, first_night);

ALTER TABLE ONLY idempotency_key
    ADD CONSTRAINT idempotency_key_pkey PRIMARY KEY (scope, key);

ALTER TABLE ONLY issued_token
    ADD CONSTRAINT issued_token_pkey PRIMARY KEY (token);

ALTER TABLE ONLY job
    ADD CONSTRAINT job_pkey PRIMARY KEY (name);

ALTER TABLE ONLY linked_room
    ADD CONSTRAINT linked_room_pkey PRIMARY KEY (hotel_id, room_key);

ALTER TABLE ONLY migration
    ADD CONSTRAINT migration_pkey PRIMARY KEY (name);

ALTER TABLE ONLY offers_product
    ADD CONSTRAINT offers_product_pkey PRIMARY KEY (product_id, owner);

ALTER TABLE ONLY outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (subject, topic, event);

ALTER TABLE ONLY page_session
    ADD CONSTRAINT page_session_pkey PRIMARY KEY (token_hash);

ALTER TABLE ONLY polled_store_hours
    ADD CONSTRAINT polled_store_hours_pkey PRIMARY KEY (store_id, weekday, opens);

ALTER TABLE ONLY polled_store
    ADD CONSTRAINT polled_store_pkey PRIMARY KEY (store_id);

ALTER TABLE ONLY property_block
    ADD CONSTRAINT property_block_pkey PRIMARY KEY (property_id, block_id);

ALTER TABLE ONLY property
    ADD CONSTRAINT property_pkey PRIMARY KEY (property_id);

ALTER TABLE ONLY property_segment
    ADD CONSTRAINT property_segment_first_id_key UNIQUE (first_id);

ALTER TABLE ONLY property_segment
    ADD CONSTRAINT property_segment_pkey PRIMARY KEY (segment);

ALTER TABLE ONLY property_time_zone
    ADD CONSTRAINT property_time_zone_pkey PRIMARY KEY (timezone);

ALTER TABLE ONLY rate_limit
    ADD CONSTRAINT rate_limit_pkey PRIMARY KEY (key, policy);

ALTER TABLE ONLY reservation
    ADD CONSTRAINT reservation_no_night_twice EXCLUDE USING gist (property_id WITH =, daterange(arrival, free_from) WITH &&) WHERE ((cancelled_at IS NULL));

ALTER TABLE ONLY reservation
    ADD CONSTRAINT reservation_pkey PRIMARY KEY (reservation_id, property_id);

ALTER TABLE ONLY store_poll
    ADD CONSTRAINT store_poll_pkey PRIMARY KEY (store_id, polled_at);

ALTER TABLE ONLY store_poll_progress
    ADD CONSTRAINT store_poll_progress_pkey PRIMARY KEY (fleet);

ALTER TABLE ONLY used_signature
    ADD CONSTRAINT used_signature_pkey PRIMARY KEY (signature_hash);

ALTER TABLE ONLY watched_event
    ADD CONSTRAINT watched_event_pkey PRIMARY KEY (hotel_id, room_key, night_of_stay, id);

ALTER TABLE ONLY watched_room
    ADD CONSTRAINT watched_room_pkey PRIMARY KEY (hotel_id, room_key);

CREATE INDEX booking_event_feed ON booking_event USING btree (event_timestamp, id);

CREATE INDEX booking_event_hotel ON booking_event USING btree (hotel_id, event_timestamp, id);

CREATE INDEX booking_event_recorded ON booking_event USING brin (recorded_at) WITH (pages_per_range='16', autosummarize='on');

CREATE INDEX calendar_link_by_token ON calendar_link USING btree (token_digest);

CREATE INDEX calendar_source_by_next_read ON calendar_source USING btree (next_read);

CREATE INDEX dining_booking_active ON dining_booking USING btree (id) WHERE (status = ANY (ARRAY['waiting'::text, 'confirmed'::text]));

CREATE INDEX dining_booking_email ON dining_booking USING btree (lower(email)) WHERE (email IS NOT NULL);

CREATE INDEX dining_booking_guest_age ON dining_booking USING btree (GREATEST(ends_at, changed_at)) WHERE (erased_at IS NULL);

CREATE INDEX dining_booking_id ON dining_booking USING btree (id);

CREATE INDEX dining_booking_phone ON dining_booking USING btree (phone) WHERE (phone IS NOT NULL);

CREATE INDEX dining_booking_start ON dining_booking USING btree (COALESCE(starts_at, 'infinity'::timestamp with time zone), id);

CREATE INDEX dining_booking_waiting_end ON dining_booking USING btree (ends_at) WHERE (status = 'waiting'::text);

CREATE INDEX dining_cancel_token_expires_at ON dining_cancel_token USING btree (expires_at);

CREATE INDEX dining_cancel_token_hash ON dining_cancel_token USING btree (token_hash);

CREATE INDEX dining_revoked_token_expires_at ON dining_revoked_token USING btree (expires_at);

CREATE INDEX failed_login_failed_at ON failed_login USING btree (failed_at);

CREATE INDEX free_stretch_of_all ON free_stretch USING gist (daterange(first_night, end_date), min_nights, max_guests) INCLUDE (property_id, first_night, end_date, timezone);

CREATE INDEX free_stretch_of_segment ON free_stretch USING gist (segment, nights, min_nights, max_guests) INCLUDE (property_id, timezone);

CREATE INDEX held_nights_by_night ON held_nights USING btree (property_id, first_night) INCLUDE (end_date);

CREATE INDEX idempotency_key_created_at ON idempotency_key USING btree (created_at);

CREATE INDEX issued_token_owner ON issued_token USING btree (owner, expires_at);

CREATE INDEX offers_product_owner ON offers_product USING btree (owner);

CREATE INDEX outbox_due ON outbox USING btree (topic, due_at) WHERE (state = 'waiting'::text);

CREATE INDEX outbox_sent ON outbox USING btree (settled_at) WHERE (state = 'sent'::text);

CREATE INDEX outbox_state ON outbox USING btree (state, id);

CREATE INDEX property_block_by_night ON property_block USING btree (property_id, first_night) INCLUDE (end_date);

CREATE INDEX property_of_holder ON property USING btree (holder, property_id) WHERE (holder IS NOT NULL);

CREATE INDEX rate_limit_full_at ON rate_limit USING btree (full_at);

CREATE INDEX reservation_by_arrival ON reservation USING btree (arrival, property_id) WHERE (cancelled_at IS NULL);

CREATE INDEX reservation_by_departure ON reservation USING btree (departure, property_id) WHERE (cancelled_at IS NULL);

CREATE UNIQUE INDEX reservation_imported_once ON reservation USING btree (property_id, imported_nights) WHERE (imported_nights IS NOT NULL);

CREATE INDEX reservation_in_feed ON reservation USING btree (property_id, arrival) INCLUDE (departure, hotel_id, room_id) WHERE ((hotel_id IS NOT NULL) AND (cancelled_at IS NULL));

CREATE INDEX reservation_of_holder ON reservation USING btree (holder, reservation_id) WHERE (holder IS NOT NULL);

CREATE INDEX reservation_of_property ON reservation USING btree (property_id, arrival DESC) INCLUDE (departure, free_from) WHERE (cancelled_at IS NULL);

CREATE INDEX store_poll_polled_at ON store_poll USING btree (polled_at, store_id);

CREATE INDEX used_signature_used_at ON used_signature USING btree (used_at);

CREATE TRIGGER booking_event_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON booking_event FOR EACH STATEMENT EXECUTE FUNCTION refuse_booking_event_change();

CREATE TRIGGER booking_event_never_changes BEFORE DELETE OR UPDATE ON booking_event FOR EACH ROW EXECUTE FUNCTION refuse_booking_event_change();

CREATE TRIGGER booking_event_watched AFTER INSERT ON booking_event REFERENCING NEW TABLE AS new_event FOR EACH STATEMENT EXECUTE FUNCTION note_watched_events();

CREATE TRIGGER dining_booking_changed AFTER INSERT OR UPDATE OF status ON dining_booking FOR EACH ROW EXECUTE FUNCTION record_dining_booking_status_change();

CREATE TRIGGER dining_booking_first_status BEFORE INSERT ON dining_booking FOR EACH ROW EXECUTE FUNCTION check_dining_first_status();

CREATE TRIGGER dining_booking_status_change_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON dining_booking_status_change FOR EACH STATEMENT EXECUTE FUNCTION refuse_dining_history_change();

CREATE TRIGGER dining_booking_transition BEFORE UPDATE ON dining_booking FOR EACH ROW EXECUTE FUNCTION check_dining_transition();

CREATE TRIGGER dining_table_added AFTER INSERT ON dining_table FOR EACH ROW EXECUTE FUNCTION record_dining_table_price();

CREATE TRIGGER dining_table_price_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON dining_table_price FOR EACH STATEMENT EXECUTE FUNCTION refuse_dining_history_change();

CREATE TRIGGER dining_table_price_changed AFTER UPDATE OF price ON dining_table FOR EACH ROW WHEN ((old.price IS DISTINCT FROM new.price)) EXECUTE FUNCTION record_dining_table_price();

CREATE TRIGGER held_nights_changed AFTER INSERT OR DELETE OR UPDATE ON held_nights FOR EACH ROW EXECUTE FUNCTION nights_off_sale_changed();

CREATE TRIGGER held_nights_lock BEFORE INSERT OR UPDATE ON held_nights FOR EACH ROW EXECUTE FUNCTION lock_property_of_held_nights();

CREATE TRIGGER property_block_changed AFTER INSERT OR DELETE OR UPDATE ON property_block FOR EACH ROW EXECUTE FUNCTION nights_off_sale_changed();

CREATE TRIGGER property_block_free_of_stays BEFORE INSERT OR UPDATE ON property_block FOR EACH ROW EXECUTE FUNCTION keep_blocks_free_of_stays();

CREATE TRIGGER property_created AFTER INSERT ON property FOR EACH ROW EXECUTE FUNCTION property_created();

CREATE TRIGGER property_deleted AFTER DELETE ON property FOR EACH ROW EXECUTE FUNCTION property_deleted();

CREATE TRIGGER property_room_changed AFTER UPDATE OF hotel_id, room_id ON property FOR EACH ROW WHEN (((old.hotel_id IS DISTINCT FROM new.hotel_id) OR (old.room_id IS DISTINCT FROM new.room_id))) EXECUTE FUNCTION link_room();

CREATE TRIGGER property_room_linked AFTER INSERT OR DELETE ON property FOR EACH ROW EXECUTE FUNCTION link_room();

CREATE TRIGGER property_sale_changed AFTER UPDATE OF on_sale, min_nights, max_guests, timezone ON property FOR EACH ROW WHEN ((old.* IS DISTINCT FROM new.*)) EXECUTE FUNCTION sale_changed();

CREATE TRIGGER property_turnover_changed AFTER UPDATE OF turnover_days ON property FOR EACH ROW WHEN ((old.turnover_days <> new.turnover_days)) EXECUTE FUNCTION turnover_changed();

CREATE TRIGGER reservation_free_stretches AFTER INSERT OR DELETE OR UPDATE OF arrival, departure, free_from, cancelled_at ON reservation FOR EACH ROW EXECUTE FUNCTION keep_free_stretches();

CREATE TRIGGER reservation_keep_turnover BEFORE INSERT OR UPDATE OF property_id, arrival, departure, cancelled_at ON reservation FOR EACH ROW EXECUTE FUNCTION keep_turnover();

CREATE TRIGGER reservation_left AFTER UPDATE OF arrival, cancelled_at ON reservation FOR EACH ROW WHEN (((old.cancelled_at IS NULL) AND ((new.cancelled_at IS NOT NULL) OR (new.arrival <> old.arrival)))) EXECUTE FUNCTION stay_left();

CREATE TRIGGER reservation_no_night_of_another_site BEFORE INSERT OR UPDATE OF arrival, departure, cancelled_at ON reservation FOR EACH ROW EXECUTE FUNCTION refuse_nights_of_other_sites();

ALTER TABLE ONLY calendar_link
    ADD CONSTRAINT calendar_link_property_id_fkey FOREIGN KEY (property_id) REFERENCES property(property_id) ON DELETE CASCADE;

ALTER TABLE ONLY calendar_source
    ADD CONSTRAINT calendar_source_property_id_fkey FOREIGN KEY (property_id) REFERENCES property(property_id) ON DELETE CASCADE;

ALTER TABLE ONLY dining_booking_status_change
    ADD CONSTRAINT dining_booking_status_change_table_id_booking_id_fkey FOREIGN KEY (table_id, booking_id) REFERENCES dining_booking(table_id, id);

ALTER TABLE ONLY dining_booking
    ADD CONSTRAINT dining_booking_table_id_fkey FOREIGN KEY (table_id) REFERENCES dining_table(table_id);

ALTER TABLE ONLY dining_cancel_token
    ADD CONSTRAINT dining_cancel_token_table_id_booking_id_fkey FOREIGN KEY (table_id, booking_id) REFERENCES dining_booking(table_id, id);

ALTER TABLE ONLY dining_table_price
    ADD CONSTRAINT dining_table_price_table_id_fkey FOREIGN KEY (table_id) REFERENCES dining_table(table_id);

ALTER TABLE ONLY held_nights
    ADD CONSTRAINT held_nights_of_source FOREIGN KEY (property_id, source_name) REFERENCES calendar_source(property_id, name) ON DELETE CASCADE;

ALTER TABLE ONLY property_block
    ADD CONSTRAINT property_block_property_id_fkey FOREIGN KEY (property_id) REFERENCES property(property_id) ON DELETE CASCADE;

ALTER TABLE ONLY reservation
    ADD CONSTRAINT reservation_property_id_fkey FOREIGN KEY (property_id) REFERENCES property(property_id);
