-- release 1
-- Products, their offers at the offers service, and the history of their prices.

CREATE TABLE product (
    product_id uuid PRIMARY KEY,
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    description text NOT NULL CHECK (char_length(description) <= 5000),
    created_at timestamptz NOT NULL DEFAULT now(),
    -- The order of names for people, in which neither accents nor case matter, and numbers count by their value (Bed 2
    -- before bed 10): every number of up to 20 digits is padded to 20. Letters without a decomposition are sorted where
    -- people look for them: ł under l, ø under o, æ under ae; ß becomes ss by its case folding. Not an ICU collation,
    -- since PostgreSQL may be built without ICU, as the embedded one is.
    name_key text COLLATE "C" NOT NULL GENERATED ALWAYS AS (
        regexp_replace(
            regexp_replace(
                replace(
                    replace(
                        replace(
                            translate(
                                casefold(
                                    regexp_replace(normalize(name, nfkd), '[\u0300-\u036f]', '', 'g')
                                    COLLATE pg_unicode_fast
                                ),
                                'łøđðı', 'loddi'
                            ),
                            'æ', 'ae'
                        ),
                        'œ', 'oe'
                    ),
                    'þ', 'th'
                ),
                '[0-9]+', '00000000000000000000\&', 'g'
            ),
            '[0-9]*([0-9]{20})', '\1', 'g'
        )
    ) STORED
);

CREATE INDEX product_name ON product (name_key, product_id);

-- The exchange with the offers service about a product. Separate from the product, since every refresh rewrites it.
-- Offers reference this table, not product, so that a refresh (this row, then its offers) and a deletion (product, this
-- row, its offers) take their locks in one order.
CREATE TABLE product_refresh (
    product_id uuid PRIMARY KEY REFERENCES product ON DELETE CASCADE,
    registered_at timestamptz, -- null: not yet registered with the service
    attempted_at timestamptz,
    due_at timestamptz, -- after a failure: the earliest time of the next attempt
    failures integer NOT NULL DEFAULT 0 CHECK (failures >= 0), -- in a row
    last_success timestamptz,
    last_error text, -- of the last attempt, null when it succeeded
    best_price bigint CHECK (best_price >= 0), -- that of the newest product_price_change
    week_price bigint CHECK (week_price >= 0) -- the best price seven days before last_success
) WITH (fillfactor = 70);

CREATE INDEX product_refresh_pending ON product_refresh (due_at) WHERE registered_at IS NULL;

CREATE TABLE offer (
    product_id uuid NOT NULL REFERENCES product_refresh ON DELETE CASCADE,
    offer_id text NOT NULL CHECK (char_length(offer_id) BETWEEN 1 AND 255),
    numeric_id boolean NOT NULL, -- the service sent the id as a number
    price bigint NOT NULL CHECK (price BETWEEN 0 AND 1000000000000), -- minor units
    items_in_stock bigint NOT NULL CHECK (items_in_stock >= 0),
    first_seen timestamptz NOT NULL,
    changed_at timestamptz NOT NULL, -- of the last change of price, stock or closed_at
    last_seen timestamptz, -- null while open: the last response contained it, at product_refresh.last_success
    closed_at timestamptz, -- the time of the first response that did not contain it
    PRIMARY KEY (product_id, offer_id),
    CHECK ((last_seen IS NULL) = (closed_at IS NULL))
) WITH (fillfactor = 80);

CREATE INDEX offer_open ON offer (product_id) WHERE closed_at IS NULL;
CREATE INDEX offer_closed ON offer (closed_at) WHERE closed_at IS NOT NULL; -- for the deletion of old ones

-- The history of an offer: a row for each change of price or stock. A closed offer has a last row without a price.
CREATE TABLE offer_price_change (
    product_id uuid NOT NULL,
    offer_id text NOT NULL,
    at timestamptz NOT NULL,
    price bigint CHECK (price >= 0), -- null: closed
    items_in_stock bigint NOT NULL CHECK (items_in_stock >= 0),
    PRIMARY KEY (product_id, offer_id, at),
    FOREIGN KEY (product_id, offer_id) REFERENCES offer ON DELETE CASCADE
);

CREATE INDEX offer_price_change_at ON offer_price_change (at); -- for the deletion of old ones

-- The lowest price in stock of a product, a row for the first successful refresh and one for each change. It follows
-- from the histories of the offers and is stored, so that a trend is read and not computed.
CREATE TABLE product_price_change (
    product_id uuid NOT NULL REFERENCES product_refresh ON DELETE CASCADE,
    at timestamptz NOT NULL,
    price bigint CHECK (price >= 0), -- null: no offer in stock
    thinned boolean NOT NULL DEFAULT FALSE, -- one of the points of an old day that stay
    PRIMARY KEY (product_id, at) INCLUDE (price) -- the rows of a product lie far apart: all are refreshed together
);

CREATE INDEX product_price_change_at ON product_price_change (at) WHERE NOT thinned; -- for the thinning of old days

-- Periods for which the prices of a product are not known, since no refresh succeeded for several minutes.
CREATE TABLE product_price_gap (
    product_id uuid NOT NULL REFERENCES product_refresh ON DELETE CASCADE,
    since timestamptz NOT NULL, -- the last successful refresh before
    until timestamptz NOT NULL, -- the first one after
    PRIMARY KEY (product_id, since),
    CHECK (since < until)
);

CREATE INDEX product_price_gap_until ON product_price_gap (until); -- for the deletion of old ones

-- What a purchaser wants to hear of a product.
CREATE TABLE product_mark (
    product_id uuid PRIMARY KEY REFERENCES product_refresh ON DELETE CASCADE,
    below bigint CHECK (below BETWEEN 1 AND 1000000000000), -- a best price lower than this
    watched_since timestamptz, -- its return into stock after it was out of stock then or later; null: not watched
    CHECK (below IS NOT NULL OR watched_since IS NOT NULL)
);

-- The token of an offers service, one for all replicas.
CREATE TABLE offers_token (
    service text PRIMARY KEY, -- its base URL, and a digest of the refresh token: the token is sent to no other
    token text,
    obtained_at timestamptz,
    renewal_owner text, -- the replica that requests a new token
    renewal_expires_at timestamptz, -- the end of its right to do so
    unused_tokens_in_a_row integer NOT NULL DEFAULT 0, -- tokens requested since one last worked
    not_before timestamptz NOT NULL DEFAULT '-infinity', -- the earliest time of the next request for a token
    last_error text -- why the last request for a token failed; null when it succeeded
);
