import type { Connection } from "../../../../src/mirror/postgres.ts";
import type { StreamRef } from "../../../../src/stream-ref.ts";
import { toHex } from "../../../../src/ves/index.ts";
import type { AnchorBatch, PendingBatch } from "../batch.ts";
import type { AnchorLog } from "../chain.ts";
import type { Target } from "../lease.ts";
import { BATCH_COLUMNS, batchOf, type BatchRow, WITH_COMMITMENT } from "./batch-row.ts";

/*
 * What is noted in Postgres about batches. The chain is the truth: a note says what to look for there. Whatever changes
 * a note runs under the lease.
 */

/** Most streams, and most batches of all and of one, that one round looks at. */
const STREAMS_AT_ONCE = 800;
const BATCHES_AT_ONCE = 1_000;
const BATCHES_PER_STREAM = 150;
/** A batch that was refused is tried again after a minute, doubled each time up to an hour. */
const FIRST_RETRY_SECONDS = 60;
const LONGEST_RETRY_SECONDS = 3_600;

/**
 * Batches that are in no transaction: the first ones of each stream, in its order. The streams that have waited longest come
 * first, and `first` before them. Left out are streams with a batch in a transaction that is in no block, since the next one
 * follows on that, and those whose next batch was refused and is not to be tried again yet; but not `first`.
 *
 * The work is that of the streams with something to anchor, however much that is: the recursion goes from one to the next.
 */
export async function readPending(connection: Connection, first: StreamRef | null): Promise<PendingBatch[]> {
  const { rows } = await connection.query<BatchRow & { waits: boolean }>(
    `WITH RECURSIVE streams AS (
       (SELECT tenant_id, store_id FROM ves_anchors WHERE status <> 'anchored'
         ORDER BY tenant_id, store_id, sequence_start LIMIT 1)
       UNION ALL
       SELECT n.tenant_id, n.store_id FROM streams s CROSS JOIN LATERAL (
         SELECT a.tenant_id, a.store_id FROM ves_anchors a
          WHERE a.status <> 'anchored' AND (a.tenant_id, a.store_id) > (s.tenant_id, s.store_id)
          ORDER BY a.tenant_id, a.store_id, a.sequence_start LIMIT 1) n
     ), due AS (
       SELECT s.tenant_id, s.store_id, next.since, s.tenant_id = $1 AND s.store_id = $2 AS is_first
         FROM streams s CROSS JOIN LATERAL (
           SELECT c.committed_at AS since, a.retry_at FROM ${WITH_COMMITMENT}
            WHERE a.tenant_id = s.tenant_id AND a.store_id = s.store_id AND a.status = 'pending'
            ORDER BY a.sequence_start LIMIT 1) next
        WHERE (coalesce(next.retry_at <= now(), true) OR (s.tenant_id = $1 AND s.store_id = $2))
          AND NOT EXISTS (
            SELECT 1 FROM ves_anchors u JOIN ves_anchor_attempts t ON t.id = u.attempt_id
             WHERE u.tenant_id = s.tenant_id AND u.store_id = s.store_id AND u.status = 'submitted'
               AND t.block_number IS NULL)
        ORDER BY is_first DESC NULLS LAST, since LIMIT ${STREAMS_AT_ONCE})
     SELECT batch.* FROM due CROSS JOIN LATERAL (
       SELECT ${BATCH_COLUMNS}, coalesce(a.retry_at > now(), false) AS waits FROM ${WITH_COMMITMENT}
        WHERE a.tenant_id = due.tenant_id AND a.store_id = due.store_id AND a.status = 'pending'
        ORDER BY a.sequence_start LIMIT ${BATCHES_PER_STREAM}) batch
      ORDER BY due.is_first DESC NULLS LAST, due.since, batch.tenant_id, batch.store_id, batch.sequence_start
      LIMIT ${BATCHES_AT_ONCE}`,
    [first?.tenantId ?? null, first?.storeId ?? null],
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
