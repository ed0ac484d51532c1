CREATE TABLE "ves_audit_log" (
	"tenant_id" uuid NOT NULL,
	"sequence_number" bigint NOT NULL,
	"entry_id" uuid NOT NULL,
	"recorded_at" timestamp (3) with time zone NOT NULL,
	"action" text NOT NULL,
	"hash" "bytea" NOT NULL,
	"entry" text NOT NULL,
	"mirrored_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "ves_audit_log_tenant_id_sequence_number_hash_pk" PRIMARY KEY("tenant_id","sequence_number","hash"),
	CONSTRAINT "ves_audit_log_hash" CHECK (octet_length("ves_audit_log"."hash") = 32)
);
