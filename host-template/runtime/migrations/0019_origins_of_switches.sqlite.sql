CREATE TRIGGER hub_org_plugins_origin AFTER UPDATE OF state ON hub_org_plugins WHEN NEW.state <> OLD.state
BEGIN
    UPDATE hub_org_plugins SET origin = NULL WHERE org_id = NEW.org_id AND plugin = NEW.plugin;
END;
