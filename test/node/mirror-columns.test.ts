import { getTableColumns } from "drizzle-orm";
import { expect, test } from "vitest";
import { vesCommitments, vesEvents } from "../../src/mirror/schema.ts";
import { COMMITMENT_COLUMNS, EVENT_COLUMNS } from "../../src/mirror/stream-tables.ts";
import { COMMITMENT_MEMBERS, EVENT_MEMBERS } from "../../src/stream/mirror-rows.ts";

/** Columns that the object does not write for each row. */
const OTHERS = ["tenant_id", "store_id", "mirrored_at"];

test.each([
  ["ves_events", vesEvents, EVENT_COLUMNS, EVENT_MEMBERS],
  ["ves_commitments", vesCommitments, COMMITMENT_COLUMNS, COMMITMENT_MEMBERS],
] as const)(
  "what the object writes for %s, what Postgres reads and what the schema has are the same columns",
  (_, table, read, written) => {
    const inSchema = Object.keys(getTableColumns(table)).filter((name) => !OTHERS.includes(name));
    expect(Object.keys(read)).toEqual(inSchema);
    expect(Object.keys(written)).toEqual(inSchema);
  },
);
