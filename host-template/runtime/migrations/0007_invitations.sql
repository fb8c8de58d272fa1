-- Invitations: a membership that an organisation offers, until the owner of the address accepts it.
CREATE TABLE hub_invitations (
    id TEXT PRIMARY KEY,
    org_id TEXT NOT NULL REFERENCES hub_orgs (id),
    -- In lower case.
    email TEXT NOT NULL,
    -- Name to begin with, of an account that is new; may be empty.
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    -- JSON: lists of identifiers.
    tenant_ids TEXT NOT NULL,
    group_ids TEXT NOT NULL,
    -- SHA-256 of the link's token: who reads the table cannot accept with it.
    token_hash TEXT NOT NULL UNIQUE,
    -- Who answers for what is granted: it is looked at again when the invitation is accepted.
    invited_by TEXT NOT NULL REFERENCES hub_users (id),
    -- unsent, sent or failed
    mail TEXT NOT NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    UNIQUE (org_id, email)
);

CREATE INDEX hub_invitations_expires_at ON hub_invitations (expires_at);
