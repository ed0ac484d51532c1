-- The audit log is never changed, by nobody who is not its owner and switches this off. What switches it off does not escape
-- the hashes. Of the log of events changes are recorded instead of refused, because there is something to repair: the
-- objects can write it again.
CREATE FUNCTION "refuse_alteration"() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
	RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;
--> statement-breakpoint
CREATE TRIGGER "refuse_alteration" BEFORE UPDATE OR DELETE OR TRUNCATE ON "ves_audit_log"
	FOR EACH STATEMENT EXECUTE FUNCTION "refuse_alteration"();
