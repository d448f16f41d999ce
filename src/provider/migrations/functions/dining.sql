-- release 1
-- The history of tables and bookings, and the order of a booking's statuses.

CREATE OR REPLACE FUNCTION record_dining_table_price() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO dining_table_price (table_id, price) VALUES (new.table_id, new.price);
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER dining_table_added AFTER INSERT ON dining_table
FOR EACH ROW EXECUTE FUNCTION record_dining_table_price();
CREATE OR REPLACE TRIGGER dining_table_price_changed AFTER UPDATE OF price ON dining_table
FOR EACH ROW WHEN (old.price IS DISTINCT FROM new.price) EXECUTE FUNCTION record_dining_table_price();

CREATE OR REPLACE FUNCTION check_dining_transition() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF old.erased_at IS NULL AND new.erased_at IS NOT NULL
        AND to_jsonb(new) - ARRAY['email', 'phone', 'name', 'notes', 'reason', 'erased_at', 'ends_at']
        = to_jsonb(old) - ARRAY['email', 'phone', 'name', 'notes', 'reason', 'erased_at', 'ends_at']
    THEN
        RETURN new; -- the guest is erased, and nothing else; ends_at is computed later
    END IF;
    IF NOT (
        (old.status = 'waiting' AND new.status IN ('confirmed', 'declined', 'cancelled', 'expired'))
        OR (old.status = 'confirmed' AND new.status = 'cancelled')
    ) THEN
        RAISE EXCEPTION 'a booking that is % cannot become %', old.status, new.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'dining_booking_transition';
    END IF;
    new.changed_at := clock_timestamp();
    RETURN new;
END
$$;

CREATE OR REPLACE TRIGGER dining_booking_transition BEFORE UPDATE ON dining_booking
FOR EACH ROW EXECUTE FUNCTION check_dining_transition();

CREATE OR REPLACE FUNCTION check_dining_first_status() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF new.status NOT IN ('waiting', 'confirmed') THEN
        RAISE EXCEPTION 'a booking cannot begin as %', new.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'dining_booking_transition';
    END IF;
    RETURN new;
END
$$;

CREATE OR REPLACE TRIGGER dining_booking_first_status BEFORE INSERT ON dining_booking
FOR EACH ROW EXECUTE FUNCTION check_dining_first_status();

CREATE OR REPLACE FUNCTION record_dining_booking_status_change() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO dining_booking_status_change (table_id, booking_id, status, changed_at, changed_by)
    VALUES (new.table_id, new.id, new.status, new.changed_at, new.changed_by);
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER dining_booking_changed AFTER INSERT OR UPDATE OF status ON dining_booking
FOR EACH ROW EXECUTE FUNCTION record_dining_booking_status_change();

CREATE OR REPLACE FUNCTION refuse_dining_history_change() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION 'the history of tables and bookings is never changed and never deleted'
        USING ERRCODE = 'restrict_violation';
END
$$;

CREATE OR REPLACE TRIGGER dining_table_price_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON dining_table_price
FOR EACH STATEMENT EXECUTE FUNCTION refuse_dining_history_change();
CREATE OR REPLACE TRIGGER dining_booking_status_change_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON dining_booking_status_change
FOR EACH STATEMENT EXECUTE FUNCTION refuse_dining_history_change();
