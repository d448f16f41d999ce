-- The simulated fleet of stores, and what polling it found: the source of the three files.

CREATE TABLE polled_store (
    store_id text COLLATE "C" PRIMARY KEY,
    timezone text COLLATE "C" -- null: not on file
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

-- How far the fleet has been polled, and which fleet it is; one row. Rounds are stored one after the other under its
-- lock, so whoever has read all polls up to an instant has them all.
CREATE TABLE store_poll_progress (
    only_one boolean PRIMARY KEY DEFAULT TRUE CHECK (only_one),
    seed bigint NOT NULL,
    stores integer NOT NULL CHECK (stores > 0),
    polled_until timestamptz NOT NULL
);
