import { isEmptyStore } from "../storage/migrate.ts";
import { integer, type SqlStore, text, textOrNull } from "../storage/sql-store.ts";
import type { StreamNote } from "../tenant/audit-messages.ts";
import { parseUuid } from "../ves/index.ts";

/*
 * What the tenant's audit log is still to be told of this stream: that it froze or thawed. Nobody asks for that, so the
 * stream keeps it until the registry has taken it over.
 */

/** Notes that are delivered at once. */
const MAX_NOTES = 100;

export function hasAuditNotes(store: SqlStore): boolean {
  return !isEmptyStore(store) && store.exec("SELECT 1 FROM audit_notes LIMIT 1").length > 0;
}

/**
 * Delivers all notes, oldest first. One whose delivery was not heard of is delivered again.
 *
 * @throws what `deliver` throws: those that were under way are kept
 */
export async function deliverAuditNotes(
  store: SqlStore,
  deliver: (notes: readonly StreamNote[]) => Promise<void>,
): Promise<void> {
  while (hasAuditNotes(store)) {
    const rows = store.exec(`SELECT * FROM audit_notes ORDER BY id LIMIT ${MAX_NOTES}`);
    await deliver(
      rows.map((row) => ({
        id: noteId(text(row["note_id"])),
        notedAt: integer(row["noted_at"]),
        party: text(row["party"]) as StreamNote["party"],
        reason: textOrNull(row["reason"]),
      })),
    );
    store.exec("DELETE FROM audit_notes WHERE id <= ?", integer(rows.at(-1)?.["id"]));
  }
}

function noteId(digits: string): string {
  const id = parseUuid(digits);
  if (id === undefined) throw new TypeError("expected the digits of a UUID");
  return id;
}
