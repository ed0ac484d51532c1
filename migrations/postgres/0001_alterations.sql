-- Records every change of a mirrored row: `ves_alterations` says what for. The argument of each trigger names the column
-- of the row's place in its stream. The functions run with their owner's rights, so that the mirror's own role needs none
-- to write there; `session_user`, the default of `altered_by`, is still who connected.
CREATE FUNCTION "record_alteration"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	INSERT INTO ves_alterations (tenant_id, store_id, table_name, sequence_number, operation)
	VALUES (OLD.tenant_id, OLD.store_id, TG_TABLE_NAME, (to_jsonb(OLD) ->> TG_ARGV[0])::bigint, TG_OP);
	RETURN NULL;
END
$$;
--> statement-breakpoint
-- One row for each stream that is in the table, with its first number.
CREATE FUNCTION "record_truncation"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	EXECUTE format(
		'INSERT INTO ves_alterations (tenant_id, store_id, table_name, sequence_number, operation)
		 SELECT tenant_id, store_id, %L, min(%I), %L FROM %I GROUP BY tenant_id, store_id',
		TG_TABLE_NAME, TG_ARGV[0], TG_OP, TG_TABLE_NAME);
	RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE TRIGGER "record_alteration" AFTER UPDATE OR DELETE ON "ves_events"
	FOR EACH ROW EXECUTE FUNCTION "record_alteration"('sequence_number');
--> statement-breakpoint
CREATE TRIGGER "record_truncation" BEFORE TRUNCATE ON "ves_events"
	FOR EACH STATEMENT EXECUTE FUNCTION "record_truncation"('sequence_number');
--> statement-breakpoint
CREATE TRIGGER "record_alteration" AFTER UPDATE OR DELETE ON "ves_commitments"
	FOR EACH ROW EXECUTE FUNCTION "record_alteration"('sequence_start');
--> statement-breakpoint
CREATE TRIGGER "record_truncation" BEFORE TRUNCATE ON "ves_commitments"
	FOR EACH STATEMENT EXECUTE FUNCTION "record_truncation"('sequence_start');
