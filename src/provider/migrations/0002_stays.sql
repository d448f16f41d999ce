-- release 1
-- The storefront: properties and their reservations. The constraints alone prevent that a night is sold twice.

CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE property (
    property_id text COLLATE "C" PRIMARY KEY CHECK (property_id ~ '^[A-Za-z0-9_-][A-Za-z0-9._~-]{0,63}$'),
    description text NOT NULL CHECK (length(description) BETWEEN 1 AND 2000),
    -- days kept free between two stays
    turnover_days smallint NOT NULL DEFAULT 0 CHECK (turnover_days BETWEEN 0 AND 365),
    -- if not, no new stay is possible; those that were sold stay
    on_sale boolean NOT NULL DEFAULT TRUE,
    -- decides which day it is at the property; null: PROVIDER_TIMEZONE
    timezone text CHECK (length(timezone) BETWEEN 1 AND 100),
    min_nights smallint NOT NULL DEFAULT 1 CHECK (min_nights BETWEEN 1 AND 365),
    -- null: as many as a request may name
    max_guests smallint CHECK (max_guests BETWEEN 1 AND 1000),
    -- the room of a hotel that this property is, null if it is none; in the form of booking_event.room_id
    hotel_id bigint CHECK (hotel_id > 0),
    room_id text
        CHECK (
            CASE WHEN length(room_id) < 20
                THEN room_id::bigint > 0 AND room_id::bigint::text = room_id
                ELSE room_id::uuid::text = lower(room_id)
            END
        ),
    -- a digest of the bearer token of the request that created it; null: created by a command
    holder uuid,
    CONSTRAINT property_whole_link CHECK ((hotel_id IS NULL) = (room_id IS NULL)),
    CONSTRAINT property_id_not_a_route CHECK (property_id <> 'available')
);

-- The property of each linked room: no room belongs to two properties. A table of its own, because a distributed table
-- property could not enforce the key. A trigger keeps it.
CREATE TABLE linked_room (
    hotel_id bigint,
    room_key text COLLATE "C", -- the room's id in lower case
    property_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (hotel_id, room_key)
);

-- The time zones that properties have, or had: a search on a day that has not begun everywhere leaves out those in
-- which a stay cannot begin on it.
CREATE TABLE property_time_zone (timezone text PRIMARY KEY);

CREATE TABLE reservation (
    reservation_id uuid NOT NULL DEFAULT uuidv7(),
    property_id text COLLATE "C" NOT NULL REFERENCES property,
    arrival date NOT NULL CHECK (arrival >= '1900-01-01'),
    departure date NOT NULL CHECK (departure <= '2200-01-01'),
    -- the first day on which another guest may arrive: the departure plus the property's turnover. A trigger sets it.
    free_from date NOT NULL,
    -- a digest of the bearer token of the request; null: imported
    holder uuid,
    -- the nights of the row of a file that it was imported from, which it may have given up since; null: not imported
    imported_nights daterange,
    -- the room under which it is in the feed of booking events; null: it is not in the feed
    hotel_id bigint,
    room_id text,
    guests smallint CHECK (guests BETWEEN 1 AND 1000), -- null: the request did not say
    cancelled_at timestamptz, -- before its first night was over: all nights are free
    -- the departure for which it was made, if it was cancelled later: the nights until `departure` were slept
    reserved_until date CHECK (reserved_until > departure),
    -- A guest has only the id, so it leads; property_id is the distribution column, see docs/scaling.md.
    PRIMARY KEY (reservation_id, property_id),
    CONSTRAINT reservation_nights CHECK (departure - arrival BETWEEN 1 AND 365),
    CONSTRAINT reservation_free_from CHECK (free_from >= departure),
    CONSTRAINT reservation_whole_link CHECK ((hotel_id IS NULL) = (room_id IS NULL)),
    CONSTRAINT reservation_no_night_twice
    EXCLUDE USING gist (property_id WITH =, daterange(arrival, free_from) WITH &&) WHERE (cancelled_at IS NULL)
);

-- The stays around a day: no two overlap, so the last one that begins before a day is the only one that can include it.
CREATE INDEX reservation_of_property ON reservation (property_id, arrival DESC) INCLUDE (departure, free_from)
WHERE cancelled_at IS NULL;

-- A row of a file becomes a stay once, whatever happens to that stay later: an import can be repeated.
CREATE UNIQUE INDEX reservation_imported_once ON reservation (property_id, imported_nights)
WHERE imported_nights IS NOT NULL;

-- The properties of a holder, for their conflicts.
CREATE INDEX property_of_holder ON property (holder, property_id) WHERE holder IS NOT NULL;

-- What a guest has reserved, and what an administrator sees of a day.
CREATE INDEX reservation_of_holder ON reservation (holder, reservation_id) WHERE holder IS NOT NULL;
CREATE INDEX reservation_by_arrival ON reservation (arrival, property_id) WHERE cancelled_at IS NULL;
CREATE INDEX reservation_by_departure ON reservation (departure, property_id) WHERE cancelled_at IS NULL;

-- Nights that the holder of a property does not sell. Blocks may overlap; none overlaps a stay.
CREATE TABLE property_block (
    property_id text COLLATE "C" REFERENCES property ON DELETE CASCADE,
    block_id uuid DEFAULT uuidv7(),
    first_night date NOT NULL CHECK (first_night >= '1900-01-01'),
    end_date date NOT NULL CHECK (end_date <= '2200-01-01'), -- the day after the last night
    note text CHECK (length(note) BETWEEN 1 AND 200),
    PRIMARY KEY (property_id, block_id),
    CONSTRAINT property_block_nights CHECK (end_date - first_night BETWEEN 1 AND 365)
);
CREATE INDEX property_block_by_night ON property_block (property_id, first_night) INCLUDE (end_date);

-- The nights of each property that a new stay can take, as ranges that do not touch: those between its stays, from the
-- end of the turnover after one to as many days before the next, without its blocks and without the nights that the
-- feed has as booked in its room; none if it is not on sale. Triggers keep them, see functions/free_stretches.sql;
-- `python -m provider audit` compares them with the reservations.
CREATE TABLE free_stretch (
    property_id text COLLATE "C" NOT NULL,
    first_night date NOT NULL CHECK (first_night >= '1900-01-01'),
    end_date date NOT NULL CHECK (end_date <= '2200-01-01'), -- the day after the last night
    -- Only the search of a segment names this column, so the planner can choose its index for no other statement.
    nights daterange NOT NULL GENERATED ALWAYS AS (daterange(first_night, end_date)) STORED,
    segment integer NOT NULL CHECK (segment >= 0),
    -- those of the property, for the search; 1000 guests if it does not limit them
    min_nights integer NOT NULL DEFAULT 1,
    max_guests integer NOT NULL DEFAULT 1000,
    timezone text,
    PRIMARY KEY (property_id, first_night) INCLUDE (end_date),
    CONSTRAINT free_stretch_nights CHECK (first_night < end_date)
);
CREATE INDEX free_stretch_of_segment ON free_stretch USING gist (segment, nights, min_nights, max_guests)
INCLUDE (property_id, timezone);
CREATE INDEX free_stretch_of_all ON free_stretch
USING gist (daterange(first_night, end_date), min_nights, max_guests)
INCLUDE (property_id, first_night, end_date, timezone);

-- The ids of properties in segments of some hundred, each from its first id to the next one's: a search in few
-- segments finds the first of the properties that are free in the order of ids. A job splits the large ones.
CREATE TABLE property_segment (
    segment integer PRIMARY KEY,
    first_id text COLLATE "C" NOT NULL UNIQUE,
    moved_at timestamptz NOT NULL -- when properties of the segment before moved to this one
);
INSERT INTO property_segment VALUES (0, '', '-infinity');

-- The stays that are in the feed, for the conflicts with events that others sent.
CREATE INDEX reservation_in_feed ON reservation (property_id, arrival) INCLUDE (departure, hotel_id, room_id)
WHERE hotel_id IS NOT NULL AND cancelled_at IS NULL;

-- The part of the UIDs of a property's calendar that no other property has, on any installation. Events that come back
-- with it are the property's own, see calendars/parse.py.
ALTER TABLE property ADD COLUMN calendar_tag uuid NOT NULL DEFAULT gen_random_uuid();

-- The addresses at which the calendar of a property can be read by all who know them. PostgreSQL has only a digest of
-- the token in the address.
CREATE TABLE calendar_link (
    property_id text COLLATE "C" REFERENCES property ON DELETE CASCADE,
    link_id uuid DEFAULT uuidv7(),
    token_digest bytea NOT NULL CHECK (length(token_digest) = 32),
    name text CHECK (length(name) BETWEEN 1 AND 100),
    -- the calendar source whose nights the calendar at this address leaves out, since its site reads it
    without_source text CHECK (length(without_source) BETWEEN 1 AND 64),
    last_read timestamptz,
    -- what was read last, and the Last-Modified of it: whole seconds, each content later than the one before
    content_digest bytea CHECK (length(content_digest) = 32),
    content_modified timestamptz CHECK (content_modified = date_trunc('second', content_modified)),
    PRIMARY KEY (property_id, link_id),
    CONSTRAINT calendar_link_content CHECK ((content_digest IS NULL) = (content_modified IS NULL))
);
CREATE INDEX calendar_link_by_token ON calendar_link (token_digest);

-- The calendars of other sites that hold nights of a property. A job reads them.
CREATE TABLE calendar_source (
    property_id text COLLATE "C" REFERENCES property ON DELETE CASCADE,
    name text COLLATE "C" CHECK (name ~ '^[A-Za-z0-9_-][A-Za-z0-9._~-]{0,63}$'),
    source_id uuid NOT NULL DEFAULT uuidv7(), -- another one for each address
    url text NOT NULL CHECK (length(url) BETWEEN 1 AND 2000),
    next_read timestamptz NOT NULL DEFAULT '-infinity',
    last_read timestamptz,
    last_success timestamptz,
    last_error text CHECK (length(last_error) BETWEEN 1 AND 500),
    -- validators and digest of the content that was read last, and the first night for which it was read
    etag text CHECK (length(etag) <= 1000),
    last_modified text CHECK (length(last_modified) <= 100),
    content_digest bytea CHECK (length(content_digest) = 32),
    content_since date,
    PRIMARY KEY (property_id, name)
);
CREATE INDEX calendar_source_by_next_read ON calendar_source (next_read);

-- The nights that the events of these calendars have. A new stay cannot take them. Where a stay had a night before the
-- event came, both have it, which is a conflict. The nights of two sources may overlap.
CREATE TABLE held_nights (
    property_id text COLLATE "C",
    source_name text COLLATE "C",
    first_night date CHECK (first_night >= '1900-01-01'),
    end_date date NOT NULL CHECK (end_date <= '2200-01-01'), -- the day after the last night
    uid text NOT NULL CHECK (length(uid) <= 255), -- the event's, as far as it fits
    PRIMARY KEY (property_id, source_name, first_night),
    CONSTRAINT held_nights_of_source FOREIGN KEY (property_id, source_name) REFERENCES calendar_source
    ON DELETE CASCADE,
    CONSTRAINT held_nights_number CHECK (end_date - first_night BETWEEN 1 AND 365)
);
CREATE INDEX held_nights_by_night ON held_nights (property_id, first_night) INCLUDE (end_date);
