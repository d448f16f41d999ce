-- release 1
-- The free stretches of the properties: kept by triggers in the transaction that changes their reservations, and read
-- by every search, see search.sql.

-- The segment of a property's id.
CREATE OR REPLACE FUNCTION segment_of(property text) RETURNS integer
LANGUAGE sql STABLE
AS $$
SELECT segment FROM property_segment WHERE first_id <= property COLLATE "C" ORDER BY first_id DESC LIMIT 1
$$;

-- The nights within a range that no new stay of the property can take: those of its stays, with the turnover before and
-- after them, of its blocks, those that the feed has as booked in its room, and those that other sites hold; all if it
-- is not on sale. No stay, no turnover and no block is longer than 365 days, so only those that begin within as many
-- days before the range are read.
CREATE OR REPLACE FUNCTION blocked_nights(property text, within daterange) RETURNS datemultirange
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

-- All nights that a new stay of the property can take, computed anew.
CREATE OR REPLACE FUNCTION computed_free_nights(property text) RETURNS datemultirange
LANGUAGE sql STABLE
AS $$
SELECT datemultirange(every.nights) - blocked_nights(property, every.nights)
  FROM (SELECT daterange('1900-01-01', '2200-01-01')) AS every (nights)
$$;

-- Remove the nights from a first one to the day after the last from the free stretches of a property. The caller holds
-- its lock.
CREATE OR REPLACE FUNCTION take_nights(property text, first date, until date) RETURNS void
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

-- Store free stretches of a property in a segment, with what the search needs to know of the property.
CREATE OR REPLACE FUNCTION insert_free_nights(property text, free datemultirange, segment_of_property integer)
RETURNS void
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

-- Compute the free stretches of a property anew, for a range of nights whose stays, blocks or events have changed. The
-- caller holds the lock of the property.
CREATE OR REPLACE FUNCTION settle_free_nights(property text, changed daterange) RETURNS void
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

-- Replace the free stretches of a property by computed ones; delete those of an id that is no property.
CREATE OR REPLACE FUNCTION recompute_free_stretches(recomputed text) RETURNS void
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

-- A stay takes its own nights, the turnover after them, and as many nights before them, from which guests would leave
-- too late. The nights of a new stay are almost always within one free stretch, which is then divided at once: that
-- takes half as long as take_nights().
CREATE OR REPLACE FUNCTION keep_free_stretches() RETURNS trigger
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

CREATE OR REPLACE TRIGGER reservation_free_stretches
AFTER INSERT OR DELETE OR UPDATE OF arrival, departure, free_from, cancelled_at ON reservation
FOR EACH ROW EXECUTE FUNCTION keep_free_stretches();

CREATE OR REPLACE FUNCTION keep_blocks_free_of_stays() RETURNS trigger
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

CREATE OR REPLACE TRIGGER property_block_free_of_stays
BEFORE INSERT OR UPDATE ON property_block
FOR EACH ROW EXECUTE FUNCTION keep_blocks_free_of_stays();

-- Nights that are blocked or that another site holds are not free; those that are given up are free where nothing else
-- takes them.
CREATE OR REPLACE FUNCTION nights_off_sale_changed() RETURNS trigger
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

CREATE OR REPLACE TRIGGER property_block_changed AFTER INSERT OR UPDATE OR DELETE ON property_block
FOR EACH ROW EXECUTE FUNCTION nights_off_sale_changed();

CREATE OR REPLACE TRIGGER held_nights_changed AFTER INSERT OR UPDATE OR DELETE ON held_nights
FOR EACH ROW EXECUTE FUNCTION nights_off_sale_changed();

-- A property that goes off sale has no free night; one that is on sale again has those that are left. A search knows
-- the fewest nights, the most guests and the time zone from the stretches.
CREATE OR REPLACE FUNCTION sale_changed() RETURNS trigger
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

CREATE OR REPLACE TRIGGER property_sale_changed AFTER UPDATE OF on_sale, min_nights, max_guests, timezone ON property
FOR EACH ROW WHEN (old.* IS DISTINCT FROM new.*)
EXECUTE FUNCTION sale_changed();

-- A new property that is on sale is free for ever. Until the transaction ends, no property changes its segment.
CREATE OR REPLACE FUNCTION property_created() RETURNS trigger
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

CREATE OR REPLACE TRIGGER property_created AFTER INSERT ON property
FOR EACH ROW EXECUTE FUNCTION property_created();

CREATE OR REPLACE FUNCTION property_deleted() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    DELETE FROM free_stretch WHERE property_id = OLD.property_id;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER property_deleted AFTER DELETE ON property
FOR EACH ROW EXECUTE FUNCTION property_deleted();

-- The nights of a property from a first one to the day before another; none when there is no such property. A night
-- is free when it can be sold alone. Otherwise it is taken, by a stay, a block, a booking of the room in the feed or
-- another site, or it is turnover: too soon after a stay, or too close before one. A property that is not on sale
-- has no free night: all are taken. Each statement reads one table: a cluster plans those fastest.
CREATE OR REPLACE FUNCTION calendar_nights(shown text, first date, until date)
RETURNS TABLE (night date, status text)
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

-- Move the last properties of a segment, at most so many, to the beginning of the segment `target`, which follows it,
-- or begins to exist; returns how many were moved: none while somebody creates properties. Readers see the boundary and
-- the stretches of one commit.
CREATE OR REPLACE FUNCTION move_to_segment(source integer, target integer, properties integer) RETURNS integer
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
