ALTER TABLE "ves_events" ALTER COLUMN "payload" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "ves_events" ADD COLUMN "payload_encrypted" "bytea";--> statement-breakpoint
ALTER TABLE "ves_events" ADD CONSTRAINT "ves_events_payload" CHECK (num_nonnulls("ves_events"."payload", "ves_events"."payload_encrypted") = 1);