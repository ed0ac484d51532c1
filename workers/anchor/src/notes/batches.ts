import type { Connection } from "../../../../src/mirror/postgres.ts";
import type { StreamRef } from "../../../../src/stream/stream-ref.ts";
import { toHex } from "../../../../src/ves/index.ts";
import type { AnchorBatch, PendingBatch } from "../batch.ts";
import type { AnchorLog } from "../chain.ts";
import type { Target } from "../lease.ts";
import { BATCH_COLUMNS, batchOf, type BatchRow, WITH_COMMITMENT } from "./batch-row.ts";

/*
 * What is noted in Postgres about batches. The chain is the truth: a note says what to look for there. Whatever changes
 * a note runs under the lease.
 */

/** Batches of a stream that are looked at together, and streams. */
const BATCHES_PER_STREAM = 150;
const PENDING_LIMIT = 1_500;
/** A batch that was refused is tried again after a minute, doubled each time up to an hour. */
const FIRST_RETRY_SECONDS = 60;
const LONGEST_RETRY_SECONDS = 3_600;

/**
 * Batches that are in no transaction: the first ones of each stream, in its order. The streams that have waited longest come
 * first, and `first` before them, which waits for nothing. A stream with a batch in a transaction is left out, since its next one follows on that.
 */
export async function readPending(connection: Connection, first: StreamRef | null): Promise<PendingBatch[]> {
  const { rows } = await connection.query<BatchRow & { waits: boolean }>(
    `WITH pending AS (
       SELECT ${BATCH_COLUMNS}, coalesce(a.retry_at > now(), false) AS waits,
              row_number() OVER stream AS place, min(c.committed_at) OVER stream AS since
         FROM ${WITH_COMMITMENT}
        WHERE a.status = 'pending'
          AND NOT EXISTS (SELECT 1 FROM ves_anchors s
                           WHERE s.tenant_id = a.tenant_id AND s.store_id = a.store_id AND s.status = 'submitted')
       WINDOW stream AS (PARTITION BY c.tenant_id, c.store_id ORDER BY c.sequence_start))
     SELECT * FROM pending WHERE place <= $1
      ORDER BY (tenant_id = $2 AND store_id = $3) DESC NULLS LAST, since, tenant_id, store_id, sequence_start LIMIT $4`,
    [BATCHES_PER_STREAM, first?.tenantId ?? null, first?.storeId ?? null, PENDING_LIMIT],
  );
  return rows.map((row) => {
    const isFirst = row.tenant_id === first?.tenantId && row.store_id === first.storeId;
    return { ...batchOf(row), isWaiting: row.waits && !isFirst };
  });
}

/** A batch that is final on chain. */
export interface FinalBatch {
  readonly batchId: string;
  /** Milliseconds since the epoch. */
  readonly anchoredAt: number;
  /** Null when no log of it was found. */
  readonly log: AnchorLog | null;
}

export async function markAnchored(
  connection: Connection,
  { chainId }: Target,
  batches: readonly FinalBatch[],
): Promise<void> {
  if (batches.length === 0) return;
  const rows = batches.map(({ batchId, anchoredAt, log }) => ({
    batch_id: batchId,
    anchored_at: new Date(anchoredAt).toISOString(),
    tx_hash: log === null ? null : `\\x${toHex(log.txHash)}`,
    block_number: log?.blockNumber ?? null,
    block_hash: log === null ? null : `\\x${toHex(log.blockHash)}`,
  }));
  await connection.query(
    `UPDATE ves_anchors a
        SET status = 'anchored', chain_id = $1, tx_hash = row.tx_hash, block_number = row.block_number,
            block_hash = row.block_hash, anchored_at = row.anchored_at, revision = next_revision(a.revision), failures = 0,
            retry_at = NULL, error = NULL
       FROM json_to_recordset($2) AS row (batch_id uuid, anchored_at timestamptz, tx_hash bytea, block_number bigint,
            block_hash bytea)
      WHERE a.batch_id = row.batch_id AND a.status <> 'anchored'`,
    [chainId, JSON.stringify(rows)],
  );
}

/** Takes all batches but some out of an attempt, so that they are sent again: also those whose commitments are missing. */
export async function releaseBatches(
  connection: Connection,
  attemptId: number,
  kept: readonly AnchorBatch[],
  problem: string | null,
): Promise<void> {
  await connection.query(
    `UPDATE ves_anchors SET status = 'pending', attempt_id = NULL, error = $3
      WHERE attempt_id = $1 AND status = 'submitted' AND batch_id <> ALL ($2)`,
    [attemptId, kept.map(({ batchId }) => batchId), problem],
  );
}

/** Notes why a batch cannot be sent. It, and those of its stream after it, wait before they are tried again. */
export async function noteRefused(connection: Connection, batchId: string, reason: string): Promise<void> {
  await connection.query(
    `UPDATE ves_anchors
        SET error = $2, failures = failures + 1,
            retry_at = now() + least($3 * 2 ^ least(failures, 20), $4) * interval '1 second'
      WHERE batch_id = $1 AND status = 'pending'`,
    [batchId, reason, FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS],
  );
}

/** How far the anchoring of one batch is. */
export interface BatchState {
  readonly batch: AnchorBatch;
  readonly status: "pending" | "submitted" | "anchored";
  /** The newest transaction that holds it; null when none does. */
  readonly txHash: Uint8Array | null;
  /** Null while that is in no block. */
  readonly blockNumber: number | null;
  /** Why the batch, or one before it in its stream, was refused last; null when none was. */
  readonly refusal: string | null;
  /** How often they were, which tells an old refusal from a new one. */
  readonly refusals: number;
}

/** Null when Postgres has no such batch of this stream. */
export async function readBatchState(
  connection: Connection,
  { tenantId, storeId }: StreamRef,
  batchId: string,
): Promise<BatchState | null> {
  const { rows } = await connection.query<
    BatchRow & {
      status: BatchState["status"];
      tx_hash: Buffer | null;
      block_number: string | null;
      refusal: string | null;
      refusals: number;
    }
  >(
    `SELECT ${BATCH_COLUMNS}, a.status, coalesce(a.block_number, t.block_number) AS block_number,
            coalesce(a.tx_hash, t.tx_hash, (SELECT x.tx_hash FROM ves_anchor_transactions x WHERE x.attempt_id = t.id
                                             ORDER BY x.max_fee_per_gas DESC LIMIT 1)) AS tx_hash,
            before.refusal, before.refusals
       FROM ${WITH_COMMITMENT} LEFT JOIN ves_anchor_attempts t ON t.id = a.attempt_id
      CROSS JOIN LATERAL (
        SELECT (array_agg(p.error ORDER BY p.sequence_start DESC) FILTER (WHERE p.failures > 0))[1] AS refusal,
               coalesce(sum(p.failures), 0)::integer AS refusals
          FROM ves_anchors p
         WHERE p.tenant_id = a.tenant_id AND p.store_id = a.store_id AND p.status = 'pending'
           AND p.sequence_start <= a.sequence_start) before
      WHERE a.batch_id = $1 AND a.tenant_id = $2 AND a.store_id = $3`,
    [batchId, tenantId, storeId],
  );
  const [row] = rows;
  return row === undefined
    ? null
    : {
        batch: batchOf(row),
        status: row.status,
        txHash: row.tx_hash === null ? null : new Uint8Array(row.tx_hash),
        blockNumber: row.block_number === null ? null : Number(row.block_number),
        refusal: row.refusal,
        refusals: row.refusals,
      };
}
