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

-- On a cluster the lock of a property is one of the node that has its rows, where the triggers take it. So whoever
-- calls lock_property() selects it FROM property, and locks several in the order of node_order(), then of their ids,
-- which is that in which a statement changes them. lock_all_properties() is for one node.
CREATE OR REPLACE FUNCTION node_order(property text) RETURNS bigint
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    IF is_distributed('property') THEN
        RETURN get_shard_id_for_distribution_column('property', property);
    END IF;
    RETURN 0;
END
$$;

CREATE OR REPLACE FUNCTION lock_properties(locked text []) RETURNS void
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

-- Keep the property free after a stay for its turnover, which is read after the lock is taken and so is current. A stay
-- whose departure stays the same keeps what it has, for the next may have been sold closer; so does one that becomes
-- shorter, if its turnover would end later. Nights that were blocked, or booked in the feed, while the transaction
-- waited for the lock are refused, and a new stay of a property whose room changed meanwhile: its events would be of
-- the wrong room. A property that is not on sale sells no further night, which is a violation of another kind: from
-- the node of a cluster only its kind and its text arrive. Imported stays were sold before.
CREATE OR REPLACE FUNCTION keep_turnover() RETURNS trigger
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
CREATE OR REPLACE FUNCTION note_room_link(changed text) RETURNS void
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

-- The nights of the stays of a property that are not in the feed which another property has sold in the same room.
CREATE OR REPLACE FUNCTION nights_sold_by_another(linked text) RETURNS SETOF date
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

CREATE OR REPLACE FUNCTION link_room() RETURNS trigger
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

-- On a cluster a trigger would run on the node of the property, which cannot write on the others: there
-- note_room_link() is called after a statement that changes the room of a property, in its transaction.
DO $$
BEGIN
    IF NOT is_distributed('property') THEN
        CREATE OR REPLACE TRIGGER property_room_linked AFTER INSERT OR DELETE ON property
        FOR EACH ROW EXECUTE FUNCTION link_room();

        CREATE OR REPLACE TRIGGER property_room_changed AFTER UPDATE OF hotel_id, room_id ON property
        FOR EACH ROW WHEN ((old.hotel_id, old.room_id) IS DISTINCT FROM (new.hotel_id, new.room_id))
        EXECUTE FUNCTION link_room();
    END IF;
END
$$;

-- Note a time zone that properties have.
CREATE OR REPLACE FUNCTION note_time_zone(zone text) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    IF zone IS NOT NULL AND NOT EXISTS (SELECT FROM property_time_zone WHERE timezone = zone) THEN
        INSERT INTO property_time_zone VALUES (zone) ON CONFLICT DO NOTHING;
    END IF;
END
$$;

-- Create a property, with an id of ours if none is given; returns its id, or null when that is taken. Raises a unique
-- violation when its room belongs to another property. Until the transaction ends, no property changes its segment.
CREATE OR REPLACE FUNCTION create_property(
    given_id text,
    about text,
    turnover smallint,
    hotel bigint,
    room text,
    owner uuid,
    is_on_sale boolean DEFAULT TRUE,
    zone text DEFAULT NULL,
    fewest_nights smallint DEFAULT 1,
    most_guests smallint DEFAULT NULL
) RETURNS text
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

-- Create the properties whose ids are new; returns these ids. The caller gives them in the order of their ids.
DROP FUNCTION IF EXISTS import_properties(text [], text []);
CREATE FUNCTION import_properties(ids text [], descriptions text []) RETURNS TABLE (stored_id text)
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

-- Reserve nights of a property, from the arrival to the day before the departure, for so many guests, null if nobody
-- said; no row when there is no such property, and no reservation when the nights are taken, or are not for sale: the
-- row says on what conditions they are. rooms: reserve also a hotel's room, whose events the same transaction must
-- append.
--
-- Nights that are visibly taken are refused without waiting for a lock. Otherwise the insert waits for the lock of the
-- property, and the constraint decides. On a cluster, one that is alone in its transaction runs on the property's node.
CREATE OR REPLACE FUNCTION reserve_nights(
    wanted text, first date, until date, guest uuid, party smallint, rooms boolean
) RETURNS TABLE (
    new_id uuid,
    created_at timestamptz,
    room_hotel_id bigint,
    room text,
    occurred_at timestamptz,
    is_on_sale boolean,
    fewest_nights smallint,
    most_guests smallint
)
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

-- Store the reservations whose nights are free and that were not imported before, and return them with their lines.
-- Ordered by property, so that concurrent imports do not deadlock, and by line, so that the first of two overlapping
-- rows is stored. Nights that the feed has as booked in the room of a property are taken.
CREATE OR REPLACE FUNCTION import_reservations(
    lines bigint [], property_ids text [], arrivals date [], numbers_of_nights integer []
) RETURNS TABLE (
    first_line bigint,
    stay_id uuid,
    first_night date,
    end_date date,
    room_hotel_id bigint,
    room text,
    occurred_at timestamptz
)
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

-- Why rows of an import were not stored: whether the property is known, the first night that the feed has as booked,
-- and the stay in the way, which for a row that was imported before is the one that it became; see Refusal in
-- provider/stays/models/reservations.py.
CREATE OR REPLACE FUNCTION explain_refusals(
    lines bigint [], property_ids text [], arrivals date [], numbers_of_nights integer []
) RETURNS TABLE (
    line bigint,
    is_property_known boolean,
    booked_night date,
    stay_arrival date,
    stay_departure date,
    is_online boolean,
    is_imported boolean,
    is_overlapping boolean,
    turnover smallint,
    stay_id uuid,
    blocked_night date
)
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
