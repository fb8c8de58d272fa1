-- The database itself refuses to change what has been written.
CREATE TRIGGER hub_audit_events_no_update BEFORE UPDATE ON hub_audit_events
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

CREATE TRIGGER hub_audit_events_no_delete BEFORE DELETE ON hub_audit_events
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
