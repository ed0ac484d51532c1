import type { Anchor, AnchorNote } from "../stream/messages.ts";
import type { StreamRef } from "../stream-ref.ts";
import { PATIENCE_MS, withPostgres } from "./postgres.ts";

/*
 * What somebody else than the anchoring Worker has anchored, by the word of who did.
 */

/** A mirrored batch and what is recorded of it. */
export interface RecordedBatch {
  readonly stream: StreamRef;
  readonly batchId: string;
  readonly sequenceStart: number;
  readonly sequenceEnd: number;
  readonly merkleRoot: Uint8Array;
  readonly stateRoot: Uint8Array;
  /** Null until it is final. */
  readonly anchor: Anchor | null;
  readonly revision: number;
  /** Whether the stream's object was told of this revision. */
  readonly isTold: boolean;
}

/** Where a batch is said to be on chain. */
export interface AnchorClaim {
  readonly chainId: number;
  readonly txHash: Uint8Array;
  readonly blockNumber: number | null;
}

export type ClaimResult =
  | { readonly kind: "recorded"; readonly note: AnchorNote }
  /** An earlier batch of the stream is not anchored: a contract takes them in their order. */
  | { readonly kind: "not_next"; readonly first: { readonly batchId: string; readonly sequenceStart: number } }
  /** Somebody has recorded it at this very moment. */
  | { readonly kind: "overtaken" };

/** `bigint` columns come as text. */
interface RecordedRow {
  readonly tenant_id: string;
  readonly store_id: string;
  readonly sequence_start: string;
  readonly sequence_end: string;
  readonly merkle_root: Buffer;
  readonly new_state_root: Buffer;
  readonly chain_id: string | null;
  readonly tx_hash: Buffer | null;
  readonly block_number: string | null;
  readonly anchored_at: Date | null;
  readonly revision: number;
  readonly told_revision: number;
}

/** @returns null for a batch that is not here @throws when Postgres cannot be asked */
export async function readRecordedBatch(hyperdrive: Hyperdrive, batchId: string): Promise<RecordedBatch | null> {
  const { rows } = await withPostgres(
    hyperdrive,
    (connection) =>
      connection.query<RecordedRow>(
        `SELECT tenant_id, store_id, sequence_start, sequence_end, merkle_root, new_state_root, chain_id, tx_hash,
                block_number, anchored_at, revision, told_revision
           FROM ves_anchors JOIN ves_commitments USING (tenant_id, store_id, sequence_start, batch_id)
          WHERE batch_id = $1`,
        [batchId],
      ),
    PATIENCE_MS,
  );
  const [row] = rows;
  return row === undefined
    ? null
    : {
        stream: { tenantId: row.tenant_id, storeId: row.store_id },
        batchId,
        sequenceStart: Number(row.sequence_start),
        sequenceEnd: Number(row.sequence_end),
        merkleRoot: new Uint8Array(row.merkle_root),
        stateRoot: new Uint8Array(row.new_state_root),
        anchor: anchorOf(row),
        revision: row.revision,
        isTold: row.told_revision >= row.revision,
      };
}

/** In one statement, what is written follows on what was read. */
const RECORD = `
  WITH earlier AS MATERIALIZED (
    SELECT batch_id, sequence_start FROM ves_anchors
     WHERE tenant_id = $1 AND store_id = $2 AND sequence_start < $3 AND status <> 'anchored'
     ORDER BY sequence_start LIMIT 1
  ), recorded AS (
    UPDATE ves_anchors
       SET status = 'anchored', chain_id = $5, tx_hash = $6, block_number = $7, block_hash = NULL, anchored_at = now(),
           attempt_id = NULL, revision = next_revision(revision), failures = 0, retry_at = NULL, error = NULL
     WHERE tenant_id = $1 AND store_id = $2 AND sequence_start = $3 AND batch_id = $4 AND status <> 'anchored'
       AND NOT EXISTS (SELECT 1 FROM earlier)
    RETURNING revision, anchored_at
  )
  SELECT earlier.batch_id, earlier.sequence_start, revision, anchored_at
    FROM (SELECT) AS always LEFT JOIN earlier ON true LEFT JOIN recorded ON true`;

/**
 * Records that a batch is anchored, when all before it are.
 *
 * @throws when Postgres fails: nothing was recorded then, unless only the answer was lost
 */
export async function recordAnchor(
  hyperdrive: Hyperdrive,
  { stream, batchId, sequenceStart }: RecordedBatch,
  claim: AnchorClaim,
): Promise<ClaimResult> {
  const { chainId, txHash, blockNumber } = claim;
  const { rows } = await withPostgres(
    hyperdrive,
    (connection) =>
      connection.query<{
        batch_id: string | null;
        sequence_start: string | null;
        revision: number | null;
        anchored_at: Date | null;
      }>(RECORD, [stream.tenantId, stream.storeId, sequenceStart, batchId, chainId, txHash, blockNumber]),
    PATIENCE_MS,
  );
  const [row] = rows;
  const earlier = row?.batch_id ?? null;
  if (earlier !== null) {
    return { kind: "not_next", first: { batchId: earlier, sequenceStart: Number(row?.sequence_start) } };
  }
  const [revision, anchoredAt] = [row?.revision ?? null, row?.anchored_at ?? null];
  if (revision === null || anchoredAt === null) return { kind: "overtaken" };
  const anchor = { chainId, txHash, blockNumber, anchoredAt: anchoredAt.getTime() };
  return { kind: "recorded", note: { batchId, sequenceStart, revision, anchor } };
}

/** Notes that the stream's object was told. @throws when Postgres cannot be asked */
export async function markTold(hyperdrive: Hyperdrive, { batchId, revision }: AnchorNote): Promise<void> {
  await withPostgres(
    hyperdrive,
    (connection) =>
      connection.query("UPDATE ves_anchors SET told_revision = $2 WHERE batch_id = $1 AND told_revision < $2", [
        batchId,
        revision,
      ]),
    PATIENCE_MS,
  );
}

function anchorOf(row: RecordedRow): Anchor | null {
  if (row.anchored_at === null) return null;
  return {
    chainId: Number(row.chain_id),
    txHash: row.tx_hash === null ? null : new Uint8Array(row.tx_hash),
    blockNumber: row.block_number === null ? null : Number(row.block_number),
    anchoredAt: row.anchored_at.getTime(),
  };
}
