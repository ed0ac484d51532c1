import { isEmptyStore } from "../storage/migrate.ts";
import { type SqlStore, textOrNull } from "../storage/sql-store.ts";
import type { Frozen } from "./messages.ts";

/**
 * Why the stream takes no writes and seals nothing, or null when it does: Postgres, or else the contract, holds what is not
 * its history, or it is being restored.
 *
 * The two reasons are kept apart, and neither party lifts the other's: what Postgres and the stream agree on is mirrored
 * though the chain says otherwise.
 */
export function readFrozen(store: SqlStore): Frozen | null {
  if (isEmptyStore(store)) return null;
  const [row] = store.exec(
    "SELECT COALESCE(frozen_reason, conflict_reason) AS reason FROM mirror_state JOIN anchor_state USING (id)",
  );
  if (row === undefined) throw new Error("a stream's store has the states of its mirror and its anchors");
  const reason = textOrNull(row["reason"]);
  return reason === null ? null : { kind: "frozen", reason };
}
