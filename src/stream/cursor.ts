import { isEmptyStore } from "../storage/migrate.ts";
import { integer, type SqlStore } from "../storage/sql-store.ts";
import { uuidBytes } from "../ves/index.ts";
import type { Cursor, CursorUpdate } from "./messages.ts";
import { readHead } from "./read.ts";

/** How far an agent has acknowledged the stream; 0 when it never did. */
export function readCursor(store: SqlStore, agentId: string): Cursor {
  if (isEmptyStore(store)) return { acknowledgedSequence: 0, head: 0, updatedAt: null };
  const [row] = store.exec(
    "SELECT acknowledged_sequence, updated_at FROM cursors WHERE agent_id = ?",
    uuidBytes(agentId),
  );
  return {
    acknowledgedSequence: row === undefined ? 0 : integer(row["acknowledged_sequence"]),
    head: readHead(store),
    updatedAt: row === undefined ? null : integer(row["updated_at"]),
  };
}

/**
 * Acknowledges everything up to `sequenceNumber`. An older number than the present one changes nothing: a delayed
 * repetition must not make an agent read again what it has settled.
 */
export function advanceCursor(store: SqlStore, agentId: string, sequenceNumber: number, now: number): CursorUpdate {
  return store.transaction((): CursorUpdate => {
    const cursor = readCursor(store, agentId);
    if (sequenceNumber > cursor.head) return { kind: "beyond_head", head: cursor.head };
    if (sequenceNumber <= cursor.acknowledgedSequence) return { kind: "cursor", cursor };
    store.exec(
      `INSERT INTO cursors (agent_id, acknowledged_sequence, updated_at) VALUES (?, ?, ?)
         ON CONFLICT (agent_id) DO UPDATE
         SET acknowledged_sequence = excluded.acknowledged_sequence, updated_at = excluded.updated_at`,
      uuidBytes(agentId),
      sequenceNumber,
      now,
    );
    return { kind: "cursor", cursor: { ...cursor, acknowledgedSequence: sequenceNumber, updatedAt: now } };
  });
}
