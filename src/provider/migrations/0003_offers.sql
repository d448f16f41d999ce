-- The stand-in for the external offers service: its tokens, and the products that belong to them. Offers themselves are
-- a function of the product and the minute and are stored nowhere.

CREATE TABLE issued_token (
    token uuid PRIMARY KEY,
    issued_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL -- infinity: never
);

-- No foreign key to the token: a token that expired takes its products along when it is swept.
CREATE TABLE offers_product (
    product_id text NOT NULL CHECK (length(product_id) BETWEEN 1 AND 200),
    token uuid NOT NULL,
    name text NOT NULL,
    description text NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (product_id, token)
);

CREATE INDEX offers_product_token ON offers_product (token);
