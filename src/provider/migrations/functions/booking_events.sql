-- release 1
-- The booking events are append-only, also for a client with direct access to the database.

CREATE OR REPLACE FUNCTION refuse_booking_event_change() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION 'booking events are never changed and never deleted' USING ERRCODE = 'restrict_violation';
END
$$;

CREATE OR REPLACE TRIGGER booking_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON booking_event
FOR EACH STATEMENT EXECUTE FUNCTION refuse_booking_event_change();

-- The nights of a room that stand as booked in the feed: the latest event of the night is a booking. The events that
-- others sent and those of our storefront are two accounts: a cancellation in one leaves a booking in the other.
CREATE OR REPLACE FUNCTION nights_booked_in_feed(
    hotel bigint, room text, first_night date, end_date date
) RETURNS TABLE (night date, by_storefront boolean, event_id bigint)
LANGUAGE sql STABLE
AS $$
SELECT night_of_stay, latest.by_storefront, id
  FROM (
      SELECT DISTINCT ON (night_of_stay, event.by_storefront) night_of_stay, event.by_storefront, id, status
        FROM booking_event AS event
       WHERE hotel_id = hotel
         AND lower(room_id COLLATE "C") = lower(room COLLATE "C")
         AND night_of_stay >= first_night
         AND night_of_stay < end_date
       ORDER BY night_of_stay, event.by_storefront, event_timestamp DESC, id DESC
  ) AS latest
 WHERE status = 1
$$;
