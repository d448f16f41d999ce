-- release 1
-- Locks, turnovers and linked rooms of the stays.

-- Transactions that change the nights of a property take turns. The constraint alone would reject overlaps, but two
-- transactions that insert at the same time would deadlock in it. The locks last until the end of the transaction and
-- need no row. Whoever locks several properties does so in the order of their ids, or locks all, for PostgreSQL's table
-- of locks has room for a few thousand. The numbers are PROPERTY_LOCK_SEED and ALL_PROPERTIES_LOCK in
-- common/db/locks.py. In SQL the function would take a tenth of the time of a reservation.
CREATE OR REPLACE FUNCTION lock_property(locked text) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7240911008), pg_advisory_xact_lock(hashtextextended(locked, 7240912));
END
$$;

CREATE OR REPLACE FUNCTION lock_all_properties() RETURNS void
LANGUAGE sql
AS $$ SELECT pg_advisory_xact_lock(7240911008) $$;

-- Keep the property free after a stay for its turnover, which is read after the lock is taken and so is current. A stay
-- whose departure stays the same keeps what it has, for the next one may have been sold closer. Nights that were
-- blocked while the transaction waited for the lock are refused, and a new stay of a property whose room changed
-- meanwhile: its events would be of the wrong room.
CREATE OR REPLACE FUNCTION keep_turnover() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
    owner record;
BEGIN
    PERFORM lock_property(NEW.property_id);
    SELECT turnover_days, hotel_id, room_id INTO owner FROM property WHERE property_id = NEW.property_id;
    IF TG_OP = 'UPDATE' AND NEW.property_id <> OLD.property_id THEN
        RAISE EXCEPTION 'a reservation stays with its property' USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'INSERT' AND (NEW.hotel_id, NEW.room_id) IS DISTINCT FROM (owner.hotel_id, owner.room_id) THEN
        RAISE EXCEPTION 'property % is linked to another room', NEW.property_id USING ERRCODE = 'serialization_failure';
    END IF;
    IF NEW.cancelled_at IS NULL AND EXISTS (
        SELECT
          FROM property_block
         WHERE property_id = NEW.property_id
           AND first_night < NEW.departure
           AND first_night > NEW.arrival - 366
           AND end_date > NEW.arrival
    ) THEN
        RAISE EXCEPTION 'a night of the stay is blocked'
            USING ERRCODE = 'exclusion_violation', TABLE = 'reservation', CONSTRAINT = 'reservation_no_blocked_night';
    END IF;
    IF TG_OP = 'INSERT' OR NEW.departure <> OLD.departure OR OLD.cancelled_at IS NOT NULL THEN
        NEW.free_from := NEW.departure + coalesce(owner.turnover_days, 0);
    END IF;
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER reservation_keep_turnover
BEFORE INSERT OR UPDATE OF property_id, arrival, departure, cancelled_at ON reservation
FOR EACH ROW EXECUTE FUNCTION keep_turnover();

-- Apply the turnover of a property to its stays that arrive within the range, each as far as the next stay permits:
-- stays that were sold closer to one another keep their nights.
CREATE OR REPLACE FUNCTION settle_turnover(settled text, since date, until date) RETURNS void
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

CREATE OR REPLACE FUNCTION turnover_changed() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM lock_property(NEW.property_id);
    PERFORM settle_turnover(NEW.property_id, '-infinity', 'infinity');
    PERFORM settle_free_nights(NEW.property_id, daterange('1900-01-01', '2200-01-01'));
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER property_turnover_changed AFTER UPDATE OF turnover_days ON property
FOR EACH ROW WHEN (old.turnover_days <> new.turnover_days) EXECUTE FUNCTION turnover_changed();

-- After a stay is cancelled or moved, the one before it may get its full turnover. A stay has at most 365 nights, a
-- turnover at most 365 days.
CREATE OR REPLACE FUNCTION stay_left() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM settle_turnover(OLD.property_id, OLD.arrival - 730, OLD.arrival);
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER reservation_left AFTER UPDATE OF arrival, cancelled_at ON reservation
FOR EACH ROW WHEN (
    old.cancelled_at IS NULL AND (new.cancelled_at IS NOT NULL OR new.arrival <> old.arrival)
)
EXECUTE FUNCTION stay_left();

-- Note which property a room belongs to, and watch the room's nights in the feed, also after the link is removed: stays
-- remain in it. Raises a unique violation when the room belongs to another property.
CREATE OR REPLACE FUNCTION link_room() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM linked_room
         WHERE hotel_id = OLD.hotel_id
           AND room_key = lower(OLD.room_id)
           AND property_id = OLD.property_id;
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.hotel_id IS NOT NULL THEN
        INSERT INTO linked_room (hotel_id, room_key, property_id)
        VALUES (NEW.hotel_id, lower(NEW.room_id), NEW.property_id);
        PERFORM watch_room(NEW.hotel_id, NEW.room_id);
    END IF;
    IF TG_OP <> 'DELETE' AND (TG_OP = 'UPDATE' OR NEW.hotel_id IS NOT NULL) THEN
        PERFORM lock_property(NEW.property_id);
        PERFORM settle_free_nights(NEW.property_id, daterange('1900-01-01', '2200-01-01'));
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER property_room_linked AFTER INSERT OR DELETE ON property
FOR EACH ROW EXECUTE FUNCTION link_room();

CREATE OR REPLACE TRIGGER property_room_changed AFTER UPDATE OF hotel_id, room_id ON property
FOR EACH ROW WHEN ((old.hotel_id, old.room_id) IS DISTINCT FROM (new.hotel_id, new.room_id))
EXECUTE FUNCTION link_room();
