-- What an organisation enters is its own; the samples belong to none and are shown to all.
ALTER TABLE plugin_healthcare_facilities ADD COLUMN org_id TEXT;
ALTER TABLE plugin_healthcare_records ADD COLUMN org_id TEXT;

CREATE INDEX plugin_healthcare_facilities_org ON plugin_healthcare_facilities (org_id, name);
CREATE INDEX plugin_healthcare_records_org ON plugin_healthcare_records (org_id, created_at);
