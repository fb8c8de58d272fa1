-- The database itself refuses to change what has been written.
CREATE FUNCTION hub_audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END;
$$;

CREATE TRIGGER hub_audit_events_no_change BEFORE UPDATE OR DELETE ON hub_audit_events
    FOR EACH ROW EXECUTE FUNCTION hub_audit_append_only();

CREATE TRIGGER hub_audit_events_no_truncate BEFORE TRUNCATE ON hub_audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION hub_audit_append_only();
