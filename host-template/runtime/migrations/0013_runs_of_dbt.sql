-- What a run was asked to do beyond a plain build, as JSON, and the tenant that it was asked for in.
ALTER TABLE hub_runs ADD COLUMN options TEXT;
ALTER TABLE hub_runs ADD COLUMN tenant_id TEXT;

-- Hosts that take runs: what they are called and when they last said that they are there.
CREATE TABLE hub_hosts (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    seen_at TEXT NOT NULL
);

-- Where the data of an organisation's workspace lies, from its first run on.
CREATE TABLE hub_warehouses (
    org_id TEXT NOT NULL REFERENCES hub_orgs (id),
    workspace TEXT NOT NULL,
    -- dbt's adapter: duckdb, postgres, …
    adapter TEXT NOT NULL,
    -- Whether a profile of the customer's names the place; else it is the platform's own DuckDB file.
    own_profile BOOLEAN NOT NULL,
    -- The host on whose disk the data lies and which alone takes the runs; none where a server has it.
    host TEXT,
    since TEXT NOT NULL,
    PRIMARY KEY (org_id, workspace)
);
