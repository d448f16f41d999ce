-- release 1
-- The nights that calendars of other sites hold, and the calendar of a property as other sites read it.

-- The nights within a range that other sites hold. No row has more than 365.
CREATE OR REPLACE FUNCTION nights_of_other_sites(property text, within daterange) RETURNS datemultirange
LANGUAGE sql STABLE
AS $$
SELECT coalesce(range_agg(daterange(first_night, end_date)), '{}')
  FROM held_nights
 WHERE property_id = property
   AND first_night > lower(within) - 366
   AND first_night < upper(within)
   AND end_date > lower(within)
$$;

-- A stay takes no night that another site holds: a new stay none at all, a stay that changes none that it did not have.
-- The trigger that keeps the turnover comes before this one in the order of the names, and locks the property.
CREATE OR REPLACE FUNCTION refuse_nights_of_other_sites() RETURNS trigger
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

CREATE OR REPLACE TRIGGER reservation_no_night_of_another_site
BEFORE INSERT OR UPDATE OF arrival, departure, cancelled_at ON reservation
FOR EACH ROW EXECUTE FUNCTION refuse_nights_of_other_sites();

-- The lock makes a reservation that is being stored wait, which then sees these nights.
CREATE OR REPLACE FUNCTION lock_property_of_held_nights() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM lock_property(NEW.property_id);
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER held_nights_lock BEFORE INSERT OR UPDATE ON held_nights
FOR EACH ROW EXECUTE FUNCTION lock_property_of_held_nights();

-- Replace the nights that a source holds by others; returns how many rows changed. The caller has locked the property.
CREATE OR REPLACE FUNCTION replace_held_nights(
    property text, source text, first_nights date [], end_dates date [], uids text []
) RETURNS integer
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

-- What the calendar of a property shows of the nights from a first one on: its stays, the turnover around them, its
-- blocks, the other nights that the feed has as booked in its room, and the nights that other sites hold but for one
-- source. origin: the stay, the block or the source; null for the feed. No row when there is no such property.
CREATE OR REPLACE FUNCTION shown_nights(shown text, since date, without_source text)
RETURNS TABLE (kind text, origin uuid, first_night date, end_date date, uid text)
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
