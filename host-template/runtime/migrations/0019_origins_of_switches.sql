-- From where the plugin comes that an organisation has switched: 'install' (the release's) or 'data' (the customer's own).
-- Another one that has the name later is another plugin, and off. NULL is what a release has written that did not keep it.
ALTER TABLE hub_org_plugins ADD COLUMN origin TEXT;
