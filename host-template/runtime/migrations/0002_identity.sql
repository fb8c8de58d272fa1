-- Who there is: organisations with their tenants, users and what they may do in an organisation, and their sessions.
CREATE TABLE hub_orgs (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    -- Changed by every change of what the organisation may see: whoever changes it holds the row until the commit.
    revision BIGINT NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL
);

CREATE TABLE hub_tenants (
    id TEXT PRIMARY KEY,
    org_id TEXT NOT NULL REFERENCES hub_orgs (id),
    name TEXT NOT NULL,
    created_at TEXT NOT NULL,
    UNIQUE (org_id, name)
);

CREATE TABLE hub_users (
    id TEXT PRIMARY KEY,
    -- In lower case.
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    -- A PHC string: algorithm, parameters, salt and hash.
    password TEXT NOT NULL,
    created_at TEXT NOT NULL
);

CREATE TABLE hub_members (
    user_id TEXT NOT NULL REFERENCES hub_users (id),
    org_id TEXT NOT NULL REFERENCES hub_orgs (id),
    -- admin or member
    role TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (user_id, org_id)
);

CREATE INDEX hub_members_org ON hub_members (org_id, created_at);

-- The tenants that a member works in; a member of none sees what is on for the whole organisation.
CREATE TABLE hub_tenant_members (
    user_id TEXT NOT NULL REFERENCES hub_users (id),
    tenant_id TEXT NOT NULL REFERENCES hub_tenants (id),
    PRIMARY KEY (user_id, tenant_id)
);

CREATE TABLE hub_groups (
    id TEXT PRIMARY KEY,
    org_id TEXT NOT NULL REFERENCES hub_orgs (id),
    name TEXT NOT NULL,
    -- Slug of the plugin that brought it.
    plugin TEXT,
    created_at TEXT NOT NULL,
    UNIQUE (org_id, name)
);

CREATE TABLE hub_group_permissions (
    group_id TEXT NOT NULL REFERENCES hub_groups (id),
    permission TEXT NOT NULL,
    PRIMARY KEY (group_id, permission)
);

CREATE TABLE hub_group_members (
    group_id TEXT NOT NULL REFERENCES hub_groups (id),
    user_id TEXT NOT NULL REFERENCES hub_users (id),
    PRIMARY KEY (group_id, user_id)
);

CREATE INDEX hub_group_members_user ON hub_group_members (user_id);

CREATE TABLE hub_sessions (
    -- SHA-256 of the token: who reads the table cannot sign in with it.
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES hub_users (id),
    org_id TEXT NOT NULL REFERENCES hub_orgs (id),
    tenant_id TEXT REFERENCES hub_tenants (id),
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL
);

CREATE INDEX hub_sessions_user ON hub_sessions (user_id);
CREATE INDEX hub_sessions_expires_at ON hub_sessions (expires_at);
