CREATE TABLE "agent_signing_keys" (
	"tenant_id" uuid NOT NULL,
	"agent_id" uuid NOT NULL,
	"key_id" bigint NOT NULL,
	"public_key" "bytea" NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"valid_from" timestamp (3) with time zone,
	"valid_to" timestamp (3) with time zone,
	"revoked_at" timestamp (3) with time zone,
	CONSTRAINT "agent_signing_keys_tenant_id_agent_id_key_id_pk" PRIMARY KEY("tenant_id","agent_id","key_id")
);
--> statement-breakpoint
CREATE TABLE "agents" (
	"tenant_id" uuid NOT NULL,
	"agent_id" uuid NOT NULL,
	"mirrored_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "agents_tenant_id_agent_id_pk" PRIMARY KEY("tenant_id","agent_id")
);
--> statement-breakpoint
CREATE TABLE "stores" (
	"tenant_id" uuid NOT NULL,
	"store_id" uuid NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "stores_tenant_id_store_id_pk" PRIMARY KEY("tenant_id","store_id")
);
--> statement-breakpoint
CREATE TABLE "tenants" (
	"tenant_id" uuid PRIMARY KEY NOT NULL,
	"mirrored_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "ves_alterations" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "ves_alterations_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"tenant_id" uuid NOT NULL,
	"store_id" uuid NOT NULL,
	"table_name" text NOT NULL,
	"sequence_number" bigint NOT NULL,
	"operation" text NOT NULL,
	"altered_at" timestamp with time zone DEFAULT now() NOT NULL,
	"altered_by" text DEFAULT session_user NOT NULL
);
--> statement-breakpoint
CREATE TABLE "ves_commitments" (
	"tenant_id" uuid NOT NULL,
	"store_id" uuid NOT NULL,
	"sequence_start" bigint NOT NULL,
	"sequence_end" bigint NOT NULL,
	"batch_id" uuid NOT NULL,
	"ves_version" integer NOT NULL,
	"leaf_count" integer NOT NULL,
	"merkle_root" "bytea" NOT NULL,
	"prev_state_root" "bytea" NOT NULL,
	"new_state_root" "bytea" NOT NULL,
	"committed_at" timestamp (3) with time zone NOT NULL,
	"mirrored_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "ves_commitments_tenant_id_store_id_sequence_start_pk" PRIMARY KEY("tenant_id","store_id","sequence_start"),
	CONSTRAINT "ves_commitments_batch_id" UNIQUE("batch_id"),
	CONSTRAINT "ves_commitments_leaf_count" CHECK ("ves_commitments"."leaf_count" = "ves_commitments"."sequence_end" - "ves_commitments"."sequence_start" + 1 AND "ves_commitments"."leaf_count" > 0),
	CONSTRAINT "ves_commitments_merkle_root" CHECK (octet_length("ves_commitments"."merkle_root") = 32),
	CONSTRAINT "ves_commitments_prev_state_root" CHECK (octet_length("ves_commitments"."prev_state_root") = 32),
	CONSTRAINT "ves_commitments_new_state_root" CHECK (octet_length("ves_commitments"."new_state_root") = 32)
);
--> statement-breakpoint
CREATE TABLE "ves_events" (
	"tenant_id" uuid NOT NULL,
	"store_id" uuid NOT NULL,
	"sequence_number" bigint NOT NULL,
	"event_id" uuid NOT NULL,
	"sequenced_at" timestamp (3) with time zone NOT NULL,
	"receipt_key_version" integer NOT NULL,
	"ves_version" integer NOT NULL,
	"source_agent_id" uuid NOT NULL,
	"agent_key_id" bigint NOT NULL,
	"entity_type" text NOT NULL,
	"entity_id" text NOT NULL,
	"entity_version" bigint NOT NULL,
	"event_type" text NOT NULL,
	"created_at" text NOT NULL,
	"payload_kind" smallint NOT NULL,
	"payload" text NOT NULL,
	"payload_plain_hash" "bytea" NOT NULL,
	"payload_cipher_hash" "bytea",
	"event_signing_hash" "bytea" NOT NULL,
	"agent_signature" "bytea" NOT NULL,
	"signature_scheme" integer,
	"signature_bundle" text,
	"command_id" uuid,
	"base_version" bigint,
	CONSTRAINT "ves_events_tenant_id_store_id_sequence_number_pk" PRIMARY KEY("tenant_id","store_id","sequence_number"),
	CONSTRAINT "ves_events_event_id" UNIQUE("event_id","tenant_id","store_id")
);
--> statement-breakpoint
CREATE TABLE "ves_frozen_streams" (
	"tenant_id" uuid NOT NULL,
	"store_id" uuid NOT NULL,
	"reason" text NOT NULL,
	"frozen_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "ves_frozen_streams_tenant_id_store_id_pk" PRIMARY KEY("tenant_id","store_id")
);
--> statement-breakpoint
CREATE INDEX "ves_alterations_by_stream" ON "ves_alterations" USING btree ("tenant_id","store_id");