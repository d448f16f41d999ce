-- release 1
-- The simulated offers service: its tokens, and the products registered with them. Offers are a function of the product
-- and the minute and are not stored.

CREATE TABLE issued_token (
    token uuid PRIMARY KEY,
    issued_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL -- infinity: never
);

-- No foreign key to the token, which has another distribution column: the job that deletes expired tokens deletes their
-- products as well.
CREATE TABLE offers_product (
    product_id text NOT NULL CHECK (length(product_id) BETWEEN 1 AND 200),
    token uuid NOT NULL,
    name text NOT NULL,
    description text NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (product_id, token)
);

CREATE INDEX offers_product_token ON offers_product (token);
