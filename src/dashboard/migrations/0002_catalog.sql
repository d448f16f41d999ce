-- Products, what the offers service says about them, and what prices did.

CREATE TABLE product (
    product_id uuid PRIMARY KEY,
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    description text NOT NULL CHECK (char_length(description) <= 5000),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX product_name ON product (name, product_id);

-- What passed between us and the offers service about a product. Apart from the product, since every refresh rewrites
-- it. Offers hang on this table, not on product, so that a refresh (this row, then its offers) and a deletion (product,
-- this row, its offers) take their locks in one order.
CREATE TABLE product_refresh (
    product_id uuid PRIMARY KEY REFERENCES product ON DELETE CASCADE,
    registered_at timestamptz, -- null: pending
    attempted_at timestamptz,
    due_at timestamptz, -- after a failure: not before then
    failures integer NOT NULL DEFAULT 0 CHECK (failures >= 0), -- in a row
    last_success timestamptz,
    last_error text, -- of the last attempt, null when it succeeded
    best_price bigint CHECK (best_price >= 0) -- the newest product_price_change
) WITH (fillfactor = 70);

CREATE INDEX product_refresh_pending ON product_refresh (due_at) WHERE registered_at IS NULL;

CREATE TABLE offer (
    product_id uuid NOT NULL REFERENCES product_refresh ON DELETE CASCADE,
    offer_id text NOT NULL CHECK (char_length(offer_id) BETWEEN 1 AND 255),
    numeric_id boolean NOT NULL, -- the service gave the id as a number
    price bigint NOT NULL CHECK (price >= 0), -- minor units
    items_in_stock bigint NOT NULL CHECK (items_in_stock >= 0),
    first_seen timestamptz NOT NULL,
    changed_at timestamptz NOT NULL, -- since when price, stock and closed are what they are
    last_seen timestamptz, -- null while open: it was in the last answer, whose time is product_refresh.last_success
    closed_at timestamptz, -- missing from an answer since then
    PRIMARY KEY (product_id, offer_id),
    CHECK ((last_seen IS NULL) = (closed_at IS NULL))
) WITH (fillfactor = 80);

CREATE INDEX offer_open ON offer (product_id) WHERE closed_at IS NULL;

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

-- The lowest price in stock of a product, whenever it changed: what the histories of its offers come to, kept beside
-- them, so that a trend is read and not computed.
CREATE TABLE product_price_change (
    product_id uuid NOT NULL REFERENCES product_refresh ON DELETE CASCADE,
    at timestamptz NOT NULL,
    price bigint CHECK (price >= 0), -- null: nothing in stock
    PRIMARY KEY (product_id, at)
);

-- Access to an offers service: one token for all replicas.
CREATE TABLE offers_token (
    service text PRIMARY KEY, -- its base URL: a token goes nowhere else
    token text,
    obtained_at timestamptz,
    renewal_owner text, -- who asks for a new token now,
    renewal_expires_at timestamptz, -- and until when it may
    unused_tokens_in_a_row integer NOT NULL DEFAULT 0, -- attempts at a token since one last worked
    not_before timestamptz NOT NULL DEFAULT '-infinity' -- nobody asks for a token before then
);
