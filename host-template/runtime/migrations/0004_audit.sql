-- Who did what. Identifiers rise with time, so the newest are the last by identifier.
CREATE TABLE hub_audit_events (
    id TEXT PRIMARY KEY,
    time TEXT NOT NULL,
    org_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    -- Empty where the platform itself acted.
    actor_id TEXT NOT NULL,
    actor_email TEXT NOT NULL,
    plugin TEXT,
    -- org or tenant
    scope TEXT,
    tenant_id TEXT,
    from_state TEXT,
    to_state TEXT,
    -- JSON: an object with whatever else there is to say.
    details TEXT NOT NULL
);

CREATE INDEX hub_audit_events_org ON hub_audit_events (org_id, id);
CREATE INDEX hub_audit_events_type ON hub_audit_events (org_id, event_type, id);
CREATE INDEX hub_audit_events_plugin ON hub_audit_events (org_id, plugin, id);
CREATE INDEX hub_audit_events_actor ON hub_audit_events (org_id, actor_email, id);
