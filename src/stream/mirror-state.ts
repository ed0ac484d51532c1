import { isEmptyStore } from "../storage/migrate.ts";
import { integer, integerOrNull, type SqlStore, textOrNull } from "../storage/sql-store.ts";

/** What a stream knows of its mirror. Only a note: what Postgres holds is asked of Postgres before each batch. */
export interface MirrorState {
  /** Events up to here are in Postgres. */
  readonly mirroredSequence: number;
  /** Attempts that have failed in a row. */
  readonly failures: number;
  /** When to try again, in milliseconds since the epoch; null: at once. */
  readonly retryAt: number | null;
  /** Why the stream takes no writes; null when it does. */
  readonly frozenReason: string | null;
  /** The stream is being rebuilt from Postgres and is not complete yet. */
  readonly isRestoring: boolean;
}

const NOTHING: MirrorState = {
  mirroredSequence: 0,
  failures: 0,
  retryAt: null,
  frozenReason: null,
  isRestoring: false,
};

export function readMirrorState(store: SqlStore): MirrorState {
  if (isEmptyStore(store)) return NOTHING;
  const [row] = store.exec("SELECT * FROM mirror_state");
  if (row === undefined) throw new Error("a stream's store has its mirror's state");
  return {
    mirroredSequence: integer(row["mirrored_sequence"]),
    failures: integer(row["failures"]),
    retryAt: integerOrNull(row["retry_at"]),
    frozenReason: textOrNull(row["frozen_reason"]),
    isRestoring: row["is_restoring"] === 1,
  };
}

/** Changes what is given and leaves the rest. */
export function updateMirrorState(store: SqlStore, change: Partial<MirrorState>): void {
  const state = { ...readMirrorState(store), ...change };
  store.exec(
    "UPDATE mirror_state SET mirrored_sequence = ?, failures = ?, retry_at = ?, frozen_reason = ?, is_restoring = ?",
    state.mirroredSequence,
    state.failures,
    state.retryAt,
    state.frozenReason,
    Number(state.isRestoring),
  );
}
