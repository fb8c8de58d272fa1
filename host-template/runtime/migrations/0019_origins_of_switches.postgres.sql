CREATE FUNCTION hub_org_plugins_origin() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.origin := NULL;
    RETURN NEW;
END;
$$;

CREATE TRIGGER hub_org_plugins_origin BEFORE UPDATE OF state ON hub_org_plugins
    FOR EACH ROW WHEN (NEW.state <> OLD.state) EXECUTE FUNCTION hub_org_plugins_origin();
