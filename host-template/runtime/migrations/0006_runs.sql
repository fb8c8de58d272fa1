-- Runs of dbt workspaces and scripts: the queue, the history, and what they said.
CREATE TABLE hub_runs (
    id TEXT PRIMARY KEY,
    org_id TEXT NOT NULL REFERENCES hub_orgs (id),
    -- dbt or script
    kind TEXT NOT NULL,
    -- Slug of the dbt workspace, or of the script.
    slug TEXT NOT NULL,
    -- Slug of the plugin; none for the platform's own workspace.
    plugin TEXT,
    -- What no two runs of an organisation use at the same time.
    workspace TEXT NOT NULL,
    -- queued, running, succeeded, failed, cancelled, timed-out or lost
    state TEXT NOT NULL,
    requested_by TEXT NOT NULL,
    created_at TEXT NOT NULL,
    started_at TEXT,
    finished_at TEXT,
    -- Identifier of the host that runs it, and when it last said so.
    host TEXT,
    seen_at TEXT,
    cancel BOOLEAN NOT NULL DEFAULT FALSE,
    -- One sentence where it did not succeed.
    error TEXT,
    -- JSON: the models and how they fared; empty until dbt has told.
    lineage TEXT
);

CREATE INDEX hub_runs_of_org ON hub_runs (org_id, workspace, id);
CREATE INDEX hub_runs_by_state ON hub_runs (state, id);
CREATE UNIQUE INDEX hub_runs_one_at_a_time ON hub_runs (org_id, workspace) WHERE state = 'running';

CREATE TABLE hub_run_logs (
    run_id TEXT NOT NULL REFERENCES hub_runs (id),
    -- Counts the chunks of a run from 1.
    seq BIGINT NOT NULL,
    -- Whole lines.
    text TEXT NOT NULL,
    PRIMARY KEY (run_id, seq)
);
