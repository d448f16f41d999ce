-- release 1
-- The feed of booking events: append-only.

-- The next three functions compute the stored column booking_event.body. They must never change: replacing a function
-- does not compute stored values anew. So they are here and not in functions/, and a new form of the JSON needs new
-- functions and a migration that rewrites the column.
--
-- They call immutable functions alone, so that PostgreSQL can inline them (to_char is not immutable: a function around
-- it would be called for each row, which doubles the time of a COPY).

-- A date as YYYY-MM-DD.
CREATE FUNCTION iso_date(day timestamp) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN lpad(date_part('year', day)::integer::text, 4, '0')
    || '-' || lpad(date_part('month', day)::integer::text, 2, '0')
    || '-' || lpad(date_part('day', day)::integer::text, 2, '0');

-- An instant in UTC in the form of RFC 3339, always with six decimals.
CREATE FUNCTION rfc3339(instant timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN iso_date(instant AT TIME ZONE 'UTC')
    || 'T' || left((instant AT TIME ZONE 'UTC')::time::text, 8)
    || '.' || lpad((date_part('microseconds', instant AT TIME ZONE 'UTC')::integer % 1000000)::text, 6, '0') || 'Z';

-- An event as JSON, as in the feed. An event never changes, so its JSON is computed once, when the event is stored:
-- reading the feed is then as fast as COPY.
CREATE FUNCTION booking_event_json(
    id bigint, hotel_id bigint, event_timestamp timestamptz, status smallint, room_id text, night_of_stay date
) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '{"id":' || id::text
    || ',"hotel_id":' || hotel_id::text
    || ',"event_timestamp":"' || rfc3339(event_timestamp)
    || '","status":' || status::text
    || ',"room_id":' || CASE WHEN length(room_id) < 20 THEN room_id ELSE '"' || room_id || '"' END
    || ',"night_of_stay":"' || iso_date(night_of_stay::timestamp) || '"}';

CREATE TABLE booking_event (
    id bigint PRIMARY KEY CHECK (id > 0),
    hotel_id bigint NOT NULL CHECK (hotel_id > 0),
    event_timestamp timestamptz NOT NULL
        CHECK (event_timestamp >= '1900-01-01 00:00:00+00' AND event_timestamp < '2200-01-01 00:00:00+00'),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    night_of_stay date NOT NULL CHECK (night_of_stay BETWEEN '1900-01-01' AND '2199-12-31'),
    status smallint NOT NULL CHECK (status IN (1, 2)), -- 1 = booking, 2 = cancellation
    -- the event of a reservation of our own storefront, not one that somebody sent
    by_storefront boolean NOT NULL DEFAULT false,
    -- a positive 64-bit integer, or a UUID in the case of its letters: digits alone are shorter than 20 characters
    room_id text NOT NULL
        CHECK (
            CASE WHEN length(room_id) < 20
                THEN room_id::bigint > 0 AND room_id::bigint::text = room_id
                ELSE room_id::uuid::text = lower(room_id)
            END
        ),
    body text NOT NULL
        GENERATED ALWAYS AS (booking_event_json(id, hotel_id, event_timestamp, status, room_id, night_of_stay)) STORED
);

CREATE INDEX booking_event_feed ON booking_event (event_timestamp, id);
CREATE INDEX booking_event_hotel ON booking_event (hotel_id, event_timestamp, id);
CREATE INDEX booking_event_recorded ON booking_event USING brin (recorded_at)
    WITH (pages_per_range = 16, autosummarize = on);

-- The rooms of which the nights must be known, and their events by night. An index of all events by room and night
-- would make each insert a third slower, and few rooms are asked for. A trigger adds new events; see watch_room().
CREATE TABLE watched_room (
    hotel_id bigint,
    room_key text COLLATE "C", -- the room's id in lower case
    PRIMARY KEY (hotel_id, room_key)
);

CREATE TABLE watched_event (
    hotel_id bigint,
    room_key text COLLATE "C",
    night_of_stay date,
    by_storefront boolean NOT NULL, -- the account in which the event counts; see give_up_nights()
    event_timestamp timestamptz NOT NULL, -- the time as of which it counts
    id bigint,
    status smallint NOT NULL,
    PRIMARY KEY (hotel_id, room_key, night_of_stay, id)
);

-- Ids that the server assigns. They start at random above 2^52, so that they do not collide with the ids of imports and
-- the feeds of two providers can be joined, and stay below 2^53, so that a reader that holds numbers as doubles keeps
-- them. The gaps of 1000 let a client that increments one of our ids not collide with the next.
CREATE SEQUENCE booking_event_id INCREMENT BY 1000;
SELECT setval('booking_event_id', (2 ^ 52)::bigint + (random() * 2 ^ 51)::bigint);
