import { isEmptyStore } from "../storage/migrate.ts";
import { integer, type SqlStore, textOrNull } from "../storage/sql-store.ts";

/** What a stream knows of its place on chain as a whole. */
export interface AnchorState {
  /** Where the unbroken run of anchored batches from 1 ends; 0 when there is none. */
  readonly anchoredSequence: number;
  /** Why what the contract holds is not of this stream's history; null when it is, as far as the stream was told. */
  readonly conflictReason: string | null;
  /** While the stream is restored: the anchors of batches that begin up to here are back. */
  readonly restoredStart: number;
}

const NOTHING: AnchorState = { anchoredSequence: 0, conflictReason: null, restoredStart: 0 };

export function readAnchorState(store: SqlStore): AnchorState {
  if (isEmptyStore(store)) return NOTHING;
  const [row] = store.exec("SELECT anchored_sequence, conflict_reason, restored_start FROM anchor_state");
  if (row === undefined) throw new Error("a stream's store has its anchors' state");
  return {
    anchoredSequence: integer(row["anchored_sequence"]),
    conflictReason: textOrNull(row["conflict_reason"]),
    restoredStart: integer(row["restored_start"]),
  };
}

/** Changes what is given and leaves the rest. */
export function updateAnchorState(store: SqlStore, change: Partial<AnchorState>): void {
  const state = { ...readAnchorState(store), ...change };
  store.exec(
    "UPDATE anchor_state SET anchored_sequence = ?, conflict_reason = ?, restored_start = ?",
    state.anchoredSequence,
    state.conflictReason,
    state.restoredStart,
  );
}
