-- From where the plugin comes that an organisation has switched: 'install' (the release's) or 'data' (the customer's own).
-- Another one that has the name later is another plugin, and off. NULL is what a release has written that did not keep it.
ALTER TABLE hub_org_plugins ADD COLUMN origin TEXT;

-- A release that does not know the column leaves in it what another one wrote: after a rollback a customer's plugin that is switched
-- there would become the release's. So the database forgets the origin with every other state, and whoever knows it writes it
-- after that.
