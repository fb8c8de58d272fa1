-- Facilities, and patient records that belong to them, with a few of each to look at.
CREATE TABLE plugin_healthcare_facilities (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    city TEXT NOT NULL,
    beds INTEGER NOT NULL,
    created_at TEXT NOT NULL
);

CREATE TABLE plugin_healthcare_records (
    id TEXT PRIMARY KEY,
    patient TEXT NOT NULL,
    diagnosis TEXT NOT NULL,
    status TEXT NOT NULL,
    facility_id TEXT NOT NULL REFERENCES plugin_healthcare_facilities (id),
    created_at TEXT NOT NULL
);

CREATE INDEX plugin_healthcare_records_created_at ON plugin_healthcare_records (created_at, id);
CREATE INDEX plugin_healthcare_records_facility ON plugin_healthcare_records (facility_id);

INSERT INTO plugin_healthcare_facilities (id, name, kind, city, beds, created_at) VALUES
    ('fac-north', 'Northside Hospital', 'hospital', 'Alderton', 420, '2026-01-05T08:00:00Z'),
    ('fac-harbour', 'Harbour Clinic', 'clinic', 'Port Elin', 64, '2026-01-05T08:05:00Z'),
    ('fac-mill', 'Mill Lane Practice', 'practice', 'Alderton', 0, '2026-01-05T08:10:00Z');

INSERT INTO plugin_healthcare_records (id, patient, diagnosis, status, facility_id, created_at) VALUES
    ('rec-1001', 'P-1001', 'J45.9 Asthma', 'outpatient', 'fac-mill', '2026-01-12T09:15:00Z'),
    ('rec-1002', 'P-1002', 'S72.0 Fracture of femur', 'admitted', 'fac-north', '2026-01-13T17:40:00Z'),
    ('rec-1003', 'P-1003', 'I10 Hypertension', 'outpatient', 'fac-harbour', '2026-01-14T11:05:00Z'),
    ('rec-1004', 'P-1004', 'K35.8 Appendicitis', 'discharged', 'fac-north', '2026-01-15T07:55:00Z'),
    ('rec-1005', 'P-1005', 'E11.9 Type 2 diabetes', 'outpatient', 'fac-mill', '2026-01-16T14:20:00Z');
