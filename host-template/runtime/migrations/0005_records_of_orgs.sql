-- A record belongs to an organisation; the samples, which belong to none, are shown to all.
ALTER TABLE hub_records ADD COLUMN org_id TEXT REFERENCES hub_orgs (id);

CREATE INDEX hub_records_org ON hub_records (org_id, created_at, id);
