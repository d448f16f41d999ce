-- release 1
-- The booking events are append-only, also for a client with direct access to the database; the nights of some rooms.

CREATE OR REPLACE FUNCTION refuse_booking_event_change() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION 'booking events are never changed and never deleted' USING ERRCODE = 'restrict_violation';
END
$$;

CREATE OR REPLACE TRIGGER booking_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON booking_event
FOR EACH STATEMENT EXECUTE FUNCTION refuse_booking_event_change();

-- On a cluster the nodes run the triggers of rows alone.
CREATE OR REPLACE TRIGGER booking_event_never_changes BEFORE UPDATE OR DELETE ON booking_event
FOR EACH ROW EXECUTE FUNCTION refuse_booking_event_change();

-- Keep the events of a room by night from now on, and those that it has. Statements that store events hold the lock in
-- shared mode until they commit: so each event is either seen here, or finds the room watched. The number of the lock
-- is WATCHED_ROOMS_LOCK in common/db/locks.py.
CREATE OR REPLACE FUNCTION watch_room(hotel bigint, room text) RETURNS void
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

-- Note events of watched rooms by night, and that they take nights of their properties, or free them. The caller shares
-- the lock of the watched rooms. An event may be noted before.
CREATE OR REPLACE FUNCTION note_events(events watched_event []) RETURNS void
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

CREATE OR REPLACE FUNCTION note_watched_events() RETURNS trigger
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

-- On a cluster a trigger would run on the node of the event, which cannot write on the others: there store_events() and
-- store_staged_events() note what they store.
DO $$
BEGIN
    IF NOT is_distributed('booking_event') THEN
        CREATE OR REPLACE TRIGGER booking_event_watched AFTER INSERT ON booking_event
        REFERENCING NEW TABLE AS new_event
        FOR EACH STATEMENT EXECUTE FUNCTION note_watched_events();
    END IF;
END
$$;

-- Draw up to so many ids that no event has; fewer if clients have stored events under some of them. by_node: on a
-- cluster, those that one node stores follow one another.
CREATE OR REPLACE FUNCTION draw_event_ids(number_of_ids integer, by_node boolean) RETURNS bigint []
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

-- Store the events whose ids are new, and return those. The first of several events with the same id is stored. The
-- events come in the order of their ids, so that writers do not deadlock.
--
-- On a cluster a few events are stored by a statement each, which goes to the node of its event alone; more, by one
-- that goes to all. Both store in the order of the parts of the table, so that writers do not deadlock there.
CREATE OR REPLACE FUNCTION store_events(
    ids bigint [],
    hotel_ids bigint [],
    event_timestamps timestamptz [],
    statuses smallint [],
    room_ids text [],
    nights date [],
    by_storefronts boolean []
) RETURNS TABLE (stored_id bigint, stored_body text)
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

-- Store the events of the temporary table staged_event whose ids are new; returns how many.
CREATE OR REPLACE FUNCTION store_staged_events() RETURNS bigint
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

-- The nights of a watched room that stand as booked in the feed: the latest event of the night is a booking. The events
-- that others sent and those of our storefront are two accounts: a cancellation in one leaves a booking in the other.
CREATE OR REPLACE FUNCTION nights_booked_in_feed(
    hotel bigint, room text, first_night date, end_date date
) RETURNS TABLE (night date, by_storefront boolean, event_id bigint)
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

-- Give up nights of a room that our storefront has booked; returns those of which the caller must append a
-- cancellation. The others were cancelled by an event that somebody else sent: after a second cancellation the feed
-- would have more cancellations than bookings, or no booking left for the others who booked the night since. That event
-- then counts in our account, as of now: it cancels our booking. The caller has locked the property of the room.
CREATE OR REPLACE FUNCTION give_up_nights(hotel bigint, room text, given_up date []) RETURNS SETOF date
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

-- Share the lock of the watched rooms with the statement that calls this, which stores events of the hotels by itself,
-- and return false. Raises a serialization failure when one has watched rooms: then store_events() stores them.
CREATE OR REPLACE FUNCTION share_unwatched_hotels(hotels bigint []) RETURNS boolean
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

-- About how many events are stored: by the planner's statistics, which a replica has too, or by those of the nodes.
CREATE OR REPLACE FUNCTION estimated_events() RETURNS bigint
LANGUAGE plpgsql
AS $$
BEGIN
    IF is_distributed('booking_event') THEN
        RETURN (SELECT number_of_rows FROM row_counts() WHERE table_name = 'booking_event');
    END IF;
    RETURN (SELECT reltuples::bigint FROM pg_class WHERE oid = 'booking_event'::regclass);
END
$$;
