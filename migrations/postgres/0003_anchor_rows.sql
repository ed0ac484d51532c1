-- Gives every commitment its row in `ves_anchors`, whoever writes it: each new one, and those that are there. The function runs
-- with its owner's rights, so that the mirror's own role needs none there.
INSERT INTO "ves_anchor_state" ("id") VALUES (1);
--> statement-breakpoint
-- The next revision of a row: never below the clock, in seconds, so that a database restored from a backup does not give a
-- stream's object revisions again that it has seen.
CREATE FUNCTION "next_revision"(revision integer) RETURNS integer LANGUAGE sql STABLE AS $$
	SELECT greatest(revision + 1, extract(epoch FROM now() - timestamptz '2025-01-01 00:00:00+00')::integer)
$$;
--> statement-breakpoint
-- A row that is there already is of a commitment that was deleted by hand. Its state holds for the same batch alone.
CREATE FUNCTION "await_anchor"() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	INSERT INTO ves_anchors (tenant_id, store_id, sequence_start, batch_id)
	SELECT tenant_id, store_id, sequence_start, batch_id FROM inserted
	ON CONFLICT (tenant_id, store_id, sequence_start) DO UPDATE
	   SET batch_id = excluded.batch_id, status = 'pending', attempt_id = NULL, chain_id = NULL, tx_hash = NULL,
	       block_number = NULL, block_hash = NULL, anchored_at = NULL, revision = next_revision(ves_anchors.revision), failures = 0,
	       retry_at = NULL, error = NULL
	 WHERE ves_anchors.batch_id <> excluded.batch_id;
	RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE TRIGGER "await_anchor" AFTER INSERT ON "ves_commitments"
	REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION "await_anchor"();
--> statement-breakpoint
-- After the trigger: what is committed while this runs has its row from that.
INSERT INTO "ves_anchors" ("tenant_id", "store_id", "sequence_start", "batch_id")
SELECT "tenant_id", "store_id", "sequence_start", "batch_id" FROM "ves_commitments"
ON CONFLICT DO NOTHING;
