CREATE TABLE "api_keys" (
	"tenant_id" uuid NOT NULL,
	"agent_id" uuid NOT NULL,
	"key_hash" "bytea" NOT NULL,
	"store_ids" uuid[],
	"can_read" boolean NOT NULL,
	"can_write" boolean NOT NULL,
	"can_admin" boolean NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"expires_at" timestamp (3) with time zone,
	"revoked_at" timestamp (3) with time zone,
	CONSTRAINT "api_keys_tenant_id_agent_id_key_hash_pk" PRIMARY KEY("tenant_id","agent_id","key_hash"),
	CONSTRAINT "api_keys_key_hash" CHECK (octet_length("api_keys"."key_hash") = 32)
);
