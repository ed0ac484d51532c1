import type { Migration } from "../migration.ts";

/** Own events by the number that they were promised: each page of the log is held against them. */
export const numbers: Migration = {
  id: 2,
  name: "numbers",
  sql: `
    CREATE INDEX outbox_by_number ON outbox (tenant_id, store_id, remote_sequence) WHERE remote_sequence IS NOT NULL;
  `,
};
