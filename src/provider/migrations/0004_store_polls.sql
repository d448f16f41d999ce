-- release 1
-- The simulated fleet of stores and its polls: the source of the three files.

CREATE TABLE polled_store (
    store_id text COLLATE "C" PRIMARY KEY,
    timezone text COLLATE "C" -- null: in no file
);

CREATE TABLE polled_store_hours (
    store_id text COLLATE "C" NOT NULL,
    weekday smallint NOT NULL CHECK (weekday BETWEEN 0 AND 6), -- 0 = Monday
    opens time NOT NULL,
    closes time NOT NULL,
    PRIMARY KEY (store_id, weekday, opens)
);

CREATE TABLE store_poll (
    store_id text COLLATE "C" NOT NULL,
    polled_at timestamptz NOT NULL,
    active boolean NOT NULL,
    PRIMARY KEY (store_id, polled_at)
);

CREATE INDEX store_poll_polled_at ON store_poll (polled_at, store_id);

-- How far the fleet has been polled, and which fleet it is. One row a fleet; the CHECK allows the only one. Rounds are
-- stored one after the other under the lock of this row, so a reader of all polls up to `polled_until` misses none.
CREATE TABLE store_poll_progress (
    fleet text PRIMARY KEY DEFAULT 'simulated' CHECK (fleet = 'simulated'),
    seed bigint NOT NULL,
    stores integer NOT NULL CHECK (stores > 0),
    began_at timestamptz NOT NULL, -- when it was first polled, its history included
    polled_until timestamptz NOT NULL
);
