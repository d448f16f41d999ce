-- Where the files of the stores are pulled from, and which state of each file was taken in last: what need not be read
-- again.

CREATE TABLE store_file_pull (
    kind text NOT NULL CHECK (kind IN ('status', 'business-hours', 'timezones')),
    url text NOT NULL, -- or the path of a file
    since timestamptz, -- null: all of it was asked for
    etag text, -- null: the source names no states
    pulled_at timestamptz NOT NULL,
    PRIMARY KEY (kind, url)
);
