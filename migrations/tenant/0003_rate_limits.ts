import type { Migration } from "../migration.ts";

/** How many requests a minute an API key is for. docs/storage-schema.md explains every column. */
export const rateLimits: Migration = {
  id: 3,
  name: "rate limits",
  sql: `ALTER TABLE api_keys ADD COLUMN rate_limit INTEGER`,
};
