-- The platform's own records, of whatever kind: `fields` is a JSON object.
CREATE TABLE hub_records (
    id TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    subtitle TEXT,
    status TEXT NOT NULL,
    source TEXT NOT NULL,
    fields TEXT NOT NULL,
    created_at TEXT NOT NULL
);

CREATE INDEX hub_records_created_at ON hub_records (created_at, id);

-- A fresh installation has something to look at.
INSERT INTO hub_records (id, title, subtitle, status, source, fields, created_at) VALUES
    ('sample-1', 'Northwind Clinics', 'Renewal of the service contract', 'open', 'sample',
     '{"owner":"Ada Brandt","value":48000,"region":"North"}', '2026-01-12T08:30:00Z'),
    ('sample-2', 'Harbour Logistics', 'Quarterly review', 'done', 'sample',
     '{"owner":"Noah Silva","value":12500,"region":"Coast"}', '2026-01-15T13:05:00Z'),
    ('sample-3', 'Alder Street Practice', 'First call', 'waiting', 'sample',
     '{"owner":"Mei Tanaka","value":7300,"region":"City"}', '2026-01-19T10:45:00Z');
