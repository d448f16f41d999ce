-- release 1
-- The simulated offers service: its tokens, and the products registered with them. Offers are a function of the product
-- and the minute and are not stored.

CREATE TABLE issued_token (
    token uuid PRIMARY KEY,
    owner uuid NOT NULL, -- to which products belong: a digest of the refresh token; without one, the token itself
    issued_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL -- infinity: never
);

CREATE INDEX issued_token_owner ON issued_token (owner, expires_at);

-- No foreign key to the token, since a refresh token is not stored. The job that deletes expired tokens deletes the
-- products that belong to them as well; those of a refresh token stay.
CREATE TABLE offers_product (
    product_id text NOT NULL CHECK (length(product_id) BETWEEN 1 AND 200),
    owner uuid NOT NULL,
    name text NOT NULL,
    description text NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (product_id, owner)
);

CREATE INDEX offers_product_owner ON offers_product (owner);
