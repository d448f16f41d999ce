-- release 1
-- The booking events are append-only, also for a client with direct access to the database.

CREATE OR REPLACE FUNCTION refuse_booking_event_change() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION 'booking events are never changed and never deleted' USING ERRCODE = 'restrict_violation';
END
$$;

CREATE OR REPLACE TRIGGER booking_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON booking_event
FOR EACH STATEMENT EXECUTE FUNCTION refuse_booking_event_change();
