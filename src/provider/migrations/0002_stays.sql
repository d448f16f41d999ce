-- The storefront: properties and their reservations. No night of a property is sold twice, whoever writes here.

CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE property (
    property_id text COLLATE "C" PRIMARY KEY CHECK (property_id ~ '^[A-Za-z0-9_-][A-Za-z0-9._~-]{0,63}$'),
    description text NOT NULL CHECK (length(description) BETWEEN 1 AND 2000),
    -- days kept free between two stays
    turnover_days smallint NOT NULL DEFAULT 0 CHECK (turnover_days BETWEEN 0 AND 365),
    -- the hotel's room that this property is, if it is one; written as in booking_event
    hotel_id bigint CHECK (hotel_id > 0),
    room_id text
        CHECK (
            CASE WHEN length(room_id) < 20
                THEN room_id::bigint > 0 AND room_id::bigint::text = room_id
                ELSE room_id::uuid::text = lower(room_id)
            END
        ),
    CONSTRAINT property_whole_link CHECK ((hotel_id IS NULL) = (room_id IS NULL)),
    CONSTRAINT property_id_not_a_route CHECK (property_id <> 'available')
);

CREATE TABLE reservation (
    reservation_id uuid NOT NULL DEFAULT uuidv7(),
    property_id text COLLATE "C" NOT NULL REFERENCES property,
    arrival date NOT NULL CHECK (arrival >= '0001-01-01'),
    departure date NOT NULL CHECK (departure <= '9999-12-31'),
    -- the first day on which another guest may arrive: the departure plus the property's turnover. A trigger sets it.
    free_from date NOT NULL,
    -- a digest of the bearer token that made it; null: an import, which belongs to no token
    holder uuid,
    -- where the feed was told of it; null: nowhere
    hotel_id bigint,
    room_id text,
    cancelled_at timestamptz,
    -- An id is all that a guest has, so it leads; property_id is there since the table is sharded by it.
    PRIMARY KEY (reservation_id, property_id),
    CONSTRAINT reservation_nights CHECK (departure - arrival BETWEEN 1 AND 365),
    CONSTRAINT reservation_free_from CHECK (free_from >= departure),
    CONSTRAINT reservation_whole_link CHECK ((hotel_id IS NULL) = (room_id IS NULL)),
    CONSTRAINT reservation_no_night_twice
    EXCLUDE USING gist (property_id WITH =, daterange(arrival, free_from) WITH &&) WHERE (cancelled_at IS NULL)
);

-- Since no two of them overlap, the last stay that begins before a day is the only one that can reach into it: one
-- descent of this index tells whether a property is free, however many reservations there are.
CREATE INDEX reservation_of_property ON reservation (property_id, arrival DESC) INCLUDE (departure, free_from)
WHERE cancelled_at IS NULL;

-- Everybody who changes the nights of a property goes one after the other. The constraint alone would keep them right,
-- but two that meet inside it wait for one another and lock up. The lock is of the transaction and needs no row.
CREATE FUNCTION lock_property(locked text) RETURNS void
LANGUAGE sql
AS $$ SELECT pg_advisory_xact_lock(hashtextextended(locked, 7240911)) $$;

-- A stay keeps the days after it free for as long as its property asks for. Read under the lock, by a snapshot that is
-- younger than the lock.
CREATE FUNCTION keep_turnover() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM lock_property(NEW.property_id);
    NEW.free_from := NEW.departure
        + coalesce((SELECT turnover_days FROM property WHERE property_id = NEW.property_id), 0);
    RETURN NEW;
END
$$;

CREATE TRIGGER reservation_keep_turnover
BEFORE INSERT OR UPDATE OF property_id, arrival, departure, cancelled_at ON reservation
FOR EACH ROW EXECUTE FUNCTION keep_turnover();

-- The stays of a property that arrive within the range keep its turnover, or as much of it as there is before the next
-- stay: those that were sold closer to one another stay as they are.
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

CREATE FUNCTION turnover_changed() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM lock_property(NEW.property_id);
    PERFORM settle_turnover(NEW.property_id, '-infinity', 'infinity');
    RETURN NULL;
END
$$;

CREATE TRIGGER property_turnover_changed AFTER UPDATE OF turnover_days ON property
FOR EACH ROW WHEN (old.turnover_days <> new.turnover_days) EXECUTE FUNCTION turnover_changed();

-- The stay before a cancelled one may now keep its turnover in full. No stay is longer than 365 nights and no turnover
-- longer than 365 days.
CREATE FUNCTION stay_cancelled() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM settle_turnover(NEW.property_id, NEW.arrival - 730, NEW.arrival);
    RETURN NULL;
END
$$;

CREATE TRIGGER reservation_cancelled AFTER UPDATE OF cancelled_at ON reservation
FOR EACH ROW WHEN (old.cancelled_at IS NULL AND new.cancelled_at IS NOT NULL) EXECUTE FUNCTION stay_cancelled();
