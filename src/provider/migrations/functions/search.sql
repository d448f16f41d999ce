-- release 1
-- The search for properties that are free, and for the days on which one is.

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
-- many of them, of which at most 100 are counted; has_more: whether there are more. First all days are looked at
-- together: often nothing is free on any. Then in groups of as many days as a stay has nights, since the stays that
-- begin in one group share a night: where no stretch has the nights that they share, none of the days is possible. Each
-- stretch that is found makes all days possible whose nights it has. The stretches that were counted for a day are
-- counted for the next ones while they are enough.
CREATE OR REPLACE FUNCTION available_start_dates(
    days date[], number_of_nights integer, party integer, refused_zones text []
) RETURNS TABLE (start_date date, free_properties integer, has_more boolean)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off
SET enable_bitmapscan = off
SET jit = off
AS $$
DECLARE
    most CONSTANT integer := 100;
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
        ) <= most THEN
            counted := ARRAY(
                SELECT daterange(first_night, end_date)
                  FROM free_stretch
                 WHERE daterange(first_night, end_date) @> daterange(counted_day, counted_day + number_of_nights)
                   AND min_nights <= number_of_nights
                   AND max_guests >= party
                   AND (refused_zones IS NULL OR coalesce(timezone, '') <> ALL (refused_zones))
                 LIMIT most + 1
            );
        END IF;
        counts := counts || cardinality(counted);
    END LOOP;
    RETURN QUERY
    SELECT day, least(number, most), number > most
      FROM unnest(days) WITH ORDINALITY AS given (day, position)
      JOIN unnest(possible, counts) AS found (possible_day, number) ON possible_day = day
     ORDER BY position;
END
$$;

-- The same for the rooms of one hotel, of which all are counted.
CREATE OR REPLACE FUNCTION available_start_dates_in_hotel(
    hotel bigint, days date[], number_of_nights integer, party integer, refused_zones text []
) RETURNS TABLE (start_date date, free_properties integer, has_more boolean)
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
    SELECT day, count(*)::integer, FALSE
      FROM unnest(days) WITH ORDINALITY AS given (day, position)
      JOIN unnest(stretches) AS stretch ON stretch @> daterange(day, day + number_of_nights)
     GROUP BY day, position
     ORDER BY position;
END
$$;
