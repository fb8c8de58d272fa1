-- Accounts, and customers that belong to them, with a few of each to look at.
CREATE TABLE plugin_crm_accounts (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    industry TEXT NOT NULL,
    owner TEXT NOT NULL,
    annual_value BIGINT NOT NULL,
    created_at TEXT NOT NULL
);

CREATE TABLE plugin_crm_customers (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    email TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL,
    account_id TEXT NOT NULL REFERENCES plugin_crm_accounts (id),
    created_at TEXT NOT NULL
);

CREATE INDEX plugin_crm_customers_account ON plugin_crm_customers (account_id);

INSERT INTO plugin_crm_accounts (id, name, industry, owner, annual_value, created_at) VALUES
    ('acc-northwind', 'Northwind Clinics', 'healthcare', 'Ada Brandt', 480000, '2026-01-06T09:00:00Z'),
    ('acc-harbour', 'Harbour Logistics', 'transport', 'Noah Silva', 125000, '2026-01-07T10:30:00Z'),
    ('acc-larch', 'Larch Foods', 'retail', 'Mei Tanaka', 73000, '2026-01-08T15:45:00Z');

INSERT INTO plugin_crm_customers (id, name, email, status, account_id, created_at) VALUES
    ('cus-1', 'Ingrid Falk', 'ingrid.falk@northwind.example', 'active', 'acc-northwind', '2026-01-09T08:10:00Z'),
    ('cus-2', 'Tomas Reyes', 'tomas.reyes@northwind.example', 'lead', 'acc-northwind', '2026-01-10T12:20:00Z'),
    ('cus-3', 'Priya Nair', 'priya.nair@harbour.example', 'active', 'acc-harbour', '2026-01-11T16:00:00Z'),
    ('cus-4', 'Jonas Weber', 'jonas.weber@larch.example', 'former', 'acc-larch', '2026-01-12T11:35:00Z');
