import type { Migration } from "../migration.ts";

/** Keys count for the limit of the key that minted them. docs/storage-schema.md explains every column. */
export const sharedRateLimits: Migration = {
  id: 7,
  name: "shared rate limits",
  sql: `ALTER TABLE api_keys ADD COLUMN limit_key_hash BLOB`,
};
