import { isEmptyStore } from "../storage/migrate.ts";
import { integer, type SqlStore } from "../storage/sql-store.ts";
import { uuidBytes } from "../ves/index.ts";
import { readAnchorState, updateAnchorState } from "./anchor-state.ts";
import type { AnchorNote } from "./messages.ts";

/**
 * Takes over what became of batches on chain. Notes may come late, twice and in any order: of each batch the one with the
 * highest revision stands, and one of a batch that the stream does not have is ignored.
 *
 * The work is that of the notes and of the batches that `anchoredSequence` moves over, however long the stream is.
 */
export function noteAnchors(store: SqlStore, notes: readonly AnchorNote[]): void {
  if (isEmptyStore(store)) return;
  store.transaction(() => {
    const { anchoredSequence } = readAnchorState(store);
    const taken = notes.filter((note) => takeNote(store, note));
    if (taken.length === 0) return;
    const gone = taken.filter(({ anchor }) => anchor === null).map(({ sequenceStart }) => sequenceStart - 1);
    const moved = endOfAnchoredRun(store, Math.min(anchoredSequence, ...gone));
    if (moved !== anchoredSequence) updateAnchorState(store, { anchoredSequence: moved });
  });
}

/** Whether the note says something new of a batch of this stream; it is stored then. */
function takeNote(store: SqlStore, { batchId, sequenceStart, revision, anchor }: AnchorNote): boolean {
  const written = store.exec(
    `INSERT INTO anchors (sequence_start, revision, chain_id, tx_hash, block_number, anchored_at)
     SELECT sequence_start, ?, ?, ?, ?, ? FROM batches WHERE sequence_start = ? AND batch_id = ?
         ON CONFLICT (sequence_start) DO UPDATE
        SET revision = excluded.revision, chain_id = excluded.chain_id, tx_hash = excluded.tx_hash,
            block_number = excluded.block_number, anchored_at = excluded.anchored_at
      WHERE excluded.revision > anchors.revision
     RETURNING sequence_start`,
    revision,
    anchor?.chainId ?? null,
    anchor?.txHash ?? null,
    anchor?.blockNumber ?? null,
    anchor?.anchoredAt ?? null,
    sequenceStart,
    uuidBytes(batchId),
  );
  return written.length > 0;
}

/** Where the unbroken run of anchored batches ends that goes on after a number up to which all are. */
function endOfAnchoredRun(store: SqlStore, anchoredSequence: number): number {
  const [row] = store.exec(
    `WITH RECURSIVE run (number) AS (
       SELECT ?
       UNION ALL
       SELECT sequence_end FROM run JOIN batches ON batches.sequence_start = number + 1
         JOIN anchors USING (sequence_start) WHERE anchored_at IS NOT NULL)
     SELECT MAX(number) AS number FROM run`,
    anchoredSequence,
  );
  return integer(row?.["number"]);
}
