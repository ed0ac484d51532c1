import type { SqlStore } from "../storage/sql-store.ts";
import { toRfc3339Offset } from "../ves/index.ts";
import { type Change, recordAct } from "./audit-log.ts";
import type { StreamNote } from "./audit-messages.ts";

/** Enters in the audit log that a stream froze or thawed, each note once however often it is delivered. */
export function recordStreamNotes(
  store: SqlStore,
  change: Change,
  storeId: string,
  notes: readonly StreamNote[],
): void {
  store.transaction(() => {
    for (const { id, notedAt, party, reason } of notes) {
      const act = {
        action: reason === null ? "stream.thawed" : "stream.frozen",
        resource: { type: "stream", id: storeId },
        storeId,
        details: { noted_at: toRfc3339Offset(notedAt), party, ...(reason === null ? {} : { reason }) },
      } as const;
      recordAct(store, change, act, id);
    }
  });
}
