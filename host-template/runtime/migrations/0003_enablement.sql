-- Which plugins are on for whom, and what was made when one was first switched on.

-- One row, raised by every change that hosts keep in memory: each of them looks whether it has moved.
CREATE TABLE hub_state (
    name TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO hub_state (name, value) VALUES ('generation', 1);

CREATE TABLE hub_org_plugins (
    org_id TEXT NOT NULL REFERENCES hub_orgs (id),
    plugin TEXT NOT NULL,
    -- enabled: for all tenants that have not opted out; chosen: for those that opted in; disabled
    state TEXT NOT NULL,
    changed_at TEXT NOT NULL,
    PRIMARY KEY (org_id, plugin)
);

CREATE TABLE hub_tenant_plugins (
    tenant_id TEXT NOT NULL REFERENCES hub_tenants (id),
    plugin TEXT NOT NULL,
    -- enabled: opted in; disabled: opted out
    state TEXT NOT NULL,
    changed_at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, plugin)
);

-- What has been seeded stays known after it was deleted: it never comes twice.
CREATE TABLE hub_seeds (
    org_id TEXT NOT NULL REFERENCES hub_orgs (id),
    plugin TEXT NOT NULL,
    -- dashboard or group
    kind TEXT NOT NULL,
    slug TEXT NOT NULL,
    seeded_at TEXT NOT NULL,
    PRIMARY KEY (org_id, plugin, kind, slug)
);

CREATE TABLE hub_dashboards (
    id TEXT PRIMARY KEY,
    org_id TEXT NOT NULL REFERENCES hub_orgs (id),
    -- Slug of the plugin that brought it.
    plugin TEXT,
    slug TEXT NOT NULL,
    title TEXT NOT NULL,
    -- JSON: a list of {block, props}
    widgets TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);

CREATE INDEX hub_dashboards_org ON hub_dashboards (org_id, plugin, slug);
