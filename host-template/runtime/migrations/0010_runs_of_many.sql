-- The queue asks when an organisation's last run began.
CREATE INDEX hub_runs_by_start ON hub_runs (org_id, started_at);
