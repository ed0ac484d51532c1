-- Lets a payload be encrypted under another key, or for the first time, without being recorded: that is the one change that the
-- sequencer itself makes. Whatever else is changed with it, or is deleted, is recorded as before.
DROP TRIGGER "record_alteration" ON "ves_events";
--> statement-breakpoint
CREATE TRIGGER "record_deletion" AFTER DELETE ON "ves_events"
	FOR EACH ROW EXECUTE FUNCTION "record_alteration"('sequence_number');
--> statement-breakpoint
CREATE TRIGGER "record_alteration" AFTER UPDATE ON "ves_events"
	FOR EACH ROW WHEN ((
		substring(NEW.payload_encrypted FROM 1 FOR 4) = 'SSE2'::bytea
		AND to_jsonb(NEW) - 'payload' - 'payload_encrypted' = to_jsonb(OLD) - 'payload' - 'payload_encrypted'
	) IS NOT TRUE) EXECUTE FUNCTION "record_alteration"('sequence_number');
