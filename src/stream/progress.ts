import type { SealLimits } from "./seal-limits.ts";
import { isEmptyStore } from "../storage/migrate.ts";
import { integer, integerOrNull, type SqlStore } from "../storage/sql-store.ts";

/** How far a log is, in itself. */
export interface Progress {
  /** The highest number given; 0 when there is none. */
  readonly head: number;
  /** The last number that lies in a sealed batch; 0 when none does. */
  readonly sealedSequence: number;
  /** When the first unsealed event was sequenced, in milliseconds since the epoch; null when all are sealed. */
  readonly unsealedSince: number | null;
}

const NOTHING: Progress = { head: 0, sealedSequence: 0, unsealedSince: null };

/** Read in one statement, because every turn of a stream asks for it. */
export function readProgress(store: SqlStore): Progress {
  if (isEmptyStore(store)) return NOTHING;
  const [row] = store.exec(
    `WITH sealed (number) AS (
       SELECT COALESCE((SELECT sequence_end FROM batches ORDER BY sequence_start DESC LIMIT 1), 0))
     SELECT number AS sealed, (SELECT COALESCE(MAX(sequence_number), 0) FROM events) AS head,
            (SELECT sequenced_at FROM events WHERE sequence_number = number + 1) AS unsealed_since
       FROM sealed`,
  );
  return {
    head: integer(row?.["head"]),
    sealedSequence: integer(row?.["sealed"]),
    unsealedSince: integerOrNull(row?.["unsealed_since"]),
  };
}

/**
 * When the next batch is due by itself, in milliseconds since the epoch, 0 for at once; null while nothing is unsealed.
 *
 * @param now what was sequenced after that, by another clock or before this one went back, is due at once
 */
export function nextSealAt(
  { head, sealedSequence, unsealedSince }: Progress,
  limits: SealLimits,
  now: number,
): number | null {
  if (unsealedSince === null) return null;
  const isDue = head - sealedSequence >= limits.maxEvents || unsealedSince > now;
  return isDue ? 0 : unsealedSince + limits.maxAgeMs;
}
