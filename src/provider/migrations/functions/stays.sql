-- release 1
-- Locks, turnovers and linked rooms of the stays.

-- Transactions that change the nights of a property take turns. The constraint alone would reject overlaps, but two
-- transactions that insert at the same time would deadlock in it. The lock lasts until the end of the transaction and
-- needs no row. The seed of the hash is PROPERTY_LOCK_SEED in common/db/locks.py.
CREATE OR REPLACE FUNCTION lock_property(locked text) RETURNS void
LANGUAGE sql
AS $$ SELECT pg_advisory_xact_lock(hashtextextended(locked, 7240912)) $$;

-- Keep the property free after a stay for its turnover, which is read after the lock is taken and so is current. A new
-- stay of a property whose room changed while the transaction waited for the lock is refused: its events would be of
-- the wrong room.
CREATE OR REPLACE FUNCTION keep_turnover() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
    owner record;
BEGIN
    PERFORM lock_property(NEW.property_id);
    SELECT turnover_days, hotel_id, room_id INTO owner FROM property WHERE property_id = NEW.property_id;
    IF TG_OP = 'INSERT' AND (NEW.hotel_id, NEW.room_id) IS DISTINCT FROM (owner.hotel_id, owner.room_id) THEN
        RAISE EXCEPTION 'property % is linked to another room', NEW.property_id USING ERRCODE = 'serialization_failure';
    END IF;
    NEW.free_from := NEW.departure + coalesce(owner.turnover_days, 0);
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
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER property_turnover_changed AFTER UPDATE OF turnover_days ON property
FOR EACH ROW WHEN (old.turnover_days <> new.turnover_days) EXECUTE FUNCTION turnover_changed();

-- After a cancellation the stay before it may get its full turnover. A stay has at most 365 nights, a turnover at most
-- 365 days.
CREATE OR REPLACE FUNCTION stay_cancelled() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM settle_turnover(NEW.property_id, NEW.arrival - 730, NEW.arrival);
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER reservation_cancelled AFTER UPDATE OF cancelled_at ON reservation
FOR EACH ROW WHEN (old.cancelled_at IS NULL AND new.cancelled_at IS NOT NULL) EXECUTE FUNCTION stay_cancelled();

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
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER property_room_linked
AFTER INSERT OR DELETE OR UPDATE OF property_id, hotel_id, room_id ON property
FOR EACH ROW EXECUTE FUNCTION link_room();
