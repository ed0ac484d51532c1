CREATE TABLE "ves_anchor_attempts" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "ves_anchor_attempts_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"chain_id" bigint NOT NULL,
	"contract" "bytea" NOT NULL,
	"sender" "bytea" NOT NULL,
	"nonce" bigint NOT NULL,
	"status" text DEFAULT 'open' NOT NULL,
	"head_block" bigint NOT NULL,
	"tx_hash" "bytea",
	"block_number" bigint,
	"error" text,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "ves_anchor_attempts_status" CHECK ("ves_anchor_attempts"."status" IN ('open', 'settled', 'failed', 'lost'))
);
--> statement-breakpoint
CREATE TABLE "ves_anchor_conflicts" (
	"tenant_id" uuid NOT NULL,
	"store_id" uuid NOT NULL,
	"reason" text NOT NULL,
	"found_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "ves_anchor_conflicts_tenant_id_store_id_pk" PRIMARY KEY("tenant_id","store_id")
);
--> statement-breakpoint
CREATE TABLE "ves_anchor_state" (
	"id" integer PRIMARY KEY DEFAULT 1 NOT NULL,
	"chain_id" bigint,
	"contract" "bytea",
	"lease_holder" uuid,
	"lease_until" timestamp (3) with time zone,
	"last_run_at" timestamp (3) with time zone,
	"last_success_at" timestamp (3) with time zone,
	"last_error" text,
	CONSTRAINT "ves_anchor_state_id" CHECK ("ves_anchor_state"."id" = 1)
);
--> statement-breakpoint
CREATE TABLE "ves_anchor_transactions" (
	"tx_hash" "bytea" PRIMARY KEY NOT NULL,
	"attempt_id" bigint NOT NULL,
	"raw" "bytea",
	"max_fee_per_gas" bigint NOT NULL,
	"max_priority_fee_per_gas" bigint NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"sent_at" timestamp (3) with time zone,
	CONSTRAINT "ves_anchor_transactions_tx_hash" CHECK (octet_length("ves_anchor_transactions"."tx_hash") = 32)
);
--> statement-breakpoint
CREATE TABLE "ves_anchors" (
	"tenant_id" uuid NOT NULL,
	"store_id" uuid NOT NULL,
	"sequence_start" bigint NOT NULL,
	"batch_id" uuid NOT NULL,
	"status" text DEFAULT 'pending' NOT NULL,
	"attempt_id" bigint,
	"chain_id" bigint,
	"tx_hash" "bytea",
	"block_number" bigint,
	"block_hash" "bytea",
	"anchored_at" timestamp (3) with time zone,
	"revision" integer DEFAULT 0 NOT NULL,
	"told_revision" integer DEFAULT 0 NOT NULL,
	"failures" integer DEFAULT 0 NOT NULL,
	"retry_at" timestamp (3) with time zone,
	"error" text,
	CONSTRAINT "ves_anchors_tenant_id_store_id_sequence_start_pk" PRIMARY KEY("tenant_id","store_id","sequence_start"),
	CONSTRAINT "ves_anchors_batch_id" UNIQUE("batch_id"),
	CONSTRAINT "ves_anchors_status" CHECK ("ves_anchors"."status" IN ('pending', 'submitted', 'anchored')),
	CONSTRAINT "ves_anchors_attempt" CHECK ("ves_anchors"."status" <> 'submitted' OR "ves_anchors"."attempt_id" IS NOT NULL),
	CONSTRAINT "ves_anchors_anchored_at" CHECK (("ves_anchors"."status" = 'anchored') = ("ves_anchors"."anchored_at" IS NOT NULL))
);
--> statement-breakpoint
CREATE UNIQUE INDEX "ves_anchor_attempts_nonce" ON "ves_anchor_attempts" USING btree ("chain_id","sender","nonce") WHERE "ves_anchor_attempts"."status" <> 'lost';--> statement-breakpoint
CREATE INDEX "ves_anchor_attempts_open" ON "ves_anchor_attempts" USING btree ("id") WHERE "ves_anchor_attempts"."status" = 'open';--> statement-breakpoint
CREATE INDEX "ves_anchor_transactions_by_attempt" ON "ves_anchor_transactions" USING btree ("attempt_id");--> statement-breakpoint
CREATE INDEX "ves_anchor_transactions_raw" ON "ves_anchor_transactions" USING btree ("attempt_id") WHERE "ves_anchor_transactions"."raw" IS NOT NULL;--> statement-breakpoint
CREATE INDEX "ves_anchors_open" ON "ves_anchors" USING btree ("tenant_id","store_id","sequence_start") WHERE "ves_anchors"."status" <> 'anchored';--> statement-breakpoint
CREATE INDEX "ves_anchors_by_attempt" ON "ves_anchors" USING btree ("attempt_id") WHERE "ves_anchors"."attempt_id" IS NOT NULL;--> statement-breakpoint
CREATE INDEX "ves_anchors_by_block" ON "ves_anchors" USING btree ("block_number") WHERE "ves_anchors"."status" = 'anchored';--> statement-breakpoint
CREATE INDEX "ves_anchors_untold" ON "ves_anchors" USING btree ("tenant_id","store_id","sequence_start") WHERE "ves_anchors"."told_revision" < "ves_anchors"."revision";