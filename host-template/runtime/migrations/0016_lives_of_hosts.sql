-- Which process of a host says that it is there, where it runs, and how people find it: a second host with the identifier of
-- one that lives is told from the next life of the same one.
ALTER TABLE hub_hosts ADD COLUMN life TEXT;
ALTER TABLE hub_hosts ADD COLUMN place TEXT;
ALTER TABLE hub_hosts ADD COLUMN about TEXT;
