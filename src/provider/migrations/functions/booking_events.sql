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

CREATE OR REPLACE FUNCTION note_watched_events() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
    are_many boolean;
    changed record;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7240911006);
    IF NOT EXISTS (SELECT FROM watched_room) THEN
        RETURN NULL;
    END IF;
    INSERT INTO watched_event (hotel_id, room_key, night_of_stay, by_storefront, event_timestamp, id, status)
    SELECT hotel_id, room_key, night_of_stay, by_storefront, event_timestamp, id, status
      FROM new_event
      JOIN watched_room USING (hotel_id)
     WHERE room_key = lower(room_id COLLATE "C");
    SELECT count(DISTINCT property_id) > 500 INTO are_many
      FROM new_event
      JOIN linked_room USING (hotel_id)
     WHERE room_key = lower(room_id COLLATE "C");
    IF are_many THEN
        PERFORM lock_all_properties();
    END IF;
    FOR changed IN
        SELECT property_id, daterange(min(night_of_stay), max(night_of_stay), '[]') AS nights
          FROM new_event
          JOIN linked_room USING (hotel_id)
         WHERE room_key = lower(room_id COLLATE "C")
         GROUP BY property_id
         ORDER BY property_id
    LOOP
        IF NOT are_many THEN
            PERFORM lock_property(changed.property_id);
        END IF;
        PERFORM settle_free_nights(changed.property_id, changed.nights);
    END LOOP;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER booking_event_watched AFTER INSERT ON booking_event
REFERENCING NEW TABLE AS new_event
FOR EACH STATEMENT EXECUTE FUNCTION note_watched_events();

-- The nights of a watched room that stand as booked in the feed: the latest event of the night is a booking. The events
-- that others sent and those of our storefront are two accounts: a cancellation in one leaves a booking in the other.
CREATE OR REPLACE FUNCTION nights_booked_in_feed(
    hotel bigint, room text, first_night date, end_date date
) RETURNS TABLE (night date, by_storefront boolean, event_id bigint)
LANGUAGE sql STABLE
AS $$
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
 WHERE status = 1
$$;
