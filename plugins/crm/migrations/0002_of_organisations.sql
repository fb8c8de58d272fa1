-- What an organisation enters is its own; the samples belong to none and are shown to all.
ALTER TABLE plugin_crm_accounts ADD COLUMN org_id TEXT;

CREATE INDEX plugin_crm_accounts_org ON plugin_crm_accounts (org_id, name);

-- An e-mail address is unique within an organisation, no longer within the platform: a table of its own says so.
CREATE TABLE plugin_crm_people (
    id TEXT PRIMARY KEY,
    org_id TEXT,
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    status TEXT NOT NULL,
    account_id TEXT NOT NULL REFERENCES plugin_crm_accounts (id),
    created_at TEXT NOT NULL,
    UNIQUE (org_id, email)
);

INSERT INTO plugin_crm_people (id, name, email, status, account_id, created_at)
SELECT id, name, email, status, account_id, created_at FROM plugin_crm_customers;

DROP TABLE plugin_crm_customers;
ALTER TABLE plugin_crm_people RENAME TO plugin_crm_customers;

CREATE INDEX plugin_crm_customers_of_account ON plugin_crm_customers (account_id);
