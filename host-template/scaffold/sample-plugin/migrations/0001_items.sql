-- Items, with two of them to look at.
CREATE TABLE plugin_sample_plugin_items (
    id TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    created_at TEXT NOT NULL,
    -- The organisation that it belongs to; the samples belong to none and are shown to all.
    org_id TEXT
);

INSERT INTO plugin_sample_plugin_items (id, title, created_at) VALUES
    ('item-1', 'First item', '2026-01-06T09:00:00Z'),
    ('item-2', 'Second item', '2026-01-07T10:30:00Z');
