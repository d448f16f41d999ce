-- release 1
-- The free stretches of the properties: kept by triggers in the transaction that changes their reservations,
-- and read by every search.

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

-- The properties after an id that can be reserved for the nights of a stay and so many guests, by id, at most as many
-- as the page has places, without those of the time zones in which the stay cannot begin: '' is that of properties
-- without one of their own; null: it can in all. The cost depends neither on how many properties are taken nor on
-- statistics:
-- 1. The free ones of one segment after the other are found by the index of the segments, until the page is full.
-- 2. Where segments have less than one each, all that are free for the stay are read, if they are few.
-- 3. A segment with many free ones has not been split yet. The next of its properties are looked at, with one descent
--    of the key each; mostly they fill the page. Otherwise all of its free ones are read.
CREATE OR REPLACE FUNCTION available_properties(
    stay daterange, party integer, refused_zones text [], after text, places integer
) RETURNS TABLE (available_id text, description text)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
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

-- The segments with the ids from a first one on, at most so many, and the first id after them, null at the end. While
-- the boundary of the first segment is new, the segment before it is one of them too: on a cluster a node may not have
-- committed yet what has moved from there. boundaries: what changes when properties move to one of them or from it.
CREATE OR REPLACE FUNCTION segments_from(start_id text, number_of_segments integer)
RETURNS TABLE (segments integer [], boundaries text [], end_id text)
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

-- The same on a cluster, where each statement asks all nodes, and each node answers with a page. The free ones of one
-- segment are found by the index of the nights, then those of four times as many, and so on, until the page is full. A
-- statement reads few more than the page needs, for the segments before had not enough. The order by an expression
-- keeps a node from reading all of its stretches by their key.
--
-- A statement sees what each node has committed when it asks that node. So the segments are read once more after it,
-- which a volatile function does anew: if properties have moved meanwhile, the statement is repeated.
CREATE OR REPLACE FUNCTION available_properties_on_cluster(
    stay daterange, party integer, refused_zones text [], after text, places integer
) RETURNS TABLE (available_id text, description text)
LANGUAGE plpgsql VOLATILE
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

-- The same for the rooms of one hotel, of which all are looked at.
CREATE OR REPLACE FUNCTION available_in_hotel(
    hotel bigint, stay daterange, party integer, refused_zones text [], after text, places integer
) RETURNS TABLE (available_id text, description text)
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

-- The days of a list, in its order, on which a stay of so many nights and guests can begin in some property, and in how
-- many of them, of which at most 100 are counted. First all days are looked at together: often nothing is free on any.
-- Then in groups of as many days as a stay has nights, since the stays that begin in one group share a night: where no
-- stretch has the nights that they share, none of the days is possible. Each stretch that is found makes all days
-- possible whose nights it has. The hundred that were counted for a day are counted for the next ones while they do.
CREATE OR REPLACE FUNCTION available_start_dates(
    days date[], number_of_nights integer, party integer, refused_zones text []
) RETURNS TABLE (start_date date, free_properties integer)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off
SET enable_bitmapscan = off
SET jit = off
AS $$
DECLARE
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
        ) < 100 THEN
            counted := ARRAY(
                SELECT daterange(first_night, end_date)
                  FROM free_stretch
                 WHERE daterange(first_night, end_date) @> daterange(counted_day, counted_day + number_of_nights)
                   AND min_nights <= number_of_nights
                   AND max_guests >= party
                   AND (refused_zones IS NULL OR coalesce(timezone, '') <> ALL (refused_zones))
                 LIMIT 100
            );
        END IF;
        counts := counts || cardinality(counted);
    END LOOP;
    RETURN QUERY
    SELECT day, number
      FROM unnest(days) WITH ORDINALITY AS given (day, position)
      JOIN unnest(possible, counts) AS found (possible_day, number) ON possible_day = day
     ORDER BY position;
END
$$;

-- The same for the rooms of one hotel, of which all are counted.
CREATE OR REPLACE FUNCTION available_start_dates_in_hotel(
    hotel bigint, days date[], number_of_nights integer, party integer, refused_zones text []
) RETURNS TABLE (start_date date, free_properties integer)
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
    SELECT day, count(*)::integer
      FROM unnest(days) WITH ORDINALITY AS given (day, position)
      JOIN unnest(stretches) AS stretch ON stretch @> daterange(day, day + number_of_nights)
     GROUP BY day, position
     ORDER BY position;
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
