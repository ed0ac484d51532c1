import type { Connection } from "../../../../src/mirror/postgres.ts";
import type { StreamRef } from "../../../../src/stream-ref.ts";
import type { Target } from "../lease.ts";

/*
 * What is noted in Postgres about the chain's blocks. The chain is the truth: a note says what to look for there. Whatever changes
 * a note runs under the lease.
 */

/** A block that holds anchored batches. */
export interface AnchorBlock {
  readonly blockNumber: number;
  readonly blockHash: Uint8Array;
  /** Its time, in milliseconds since the epoch. */
  readonly minedAt: number;
}

/** Blocks of the chain with anchored batches, the highest first, below a number. */
export async function readAnchorBlocks(
  connection: Connection,
  { chainId }: Target,
  below: number,
  limit: number,
): Promise<AnchorBlock[]> {
  const { rows } = await connection.query<{ block_number: string; block_hash: Buffer; anchored_at: Date }>(
    `SELECT DISTINCT ON (block_number) block_number, block_hash, anchored_at FROM ves_anchors
      WHERE status = 'anchored' AND block_number < $2 AND block_hash IS NOT NULL AND chain_id = $1
      ORDER BY block_number DESC LIMIT $3`,
    [chainId, below, limit],
  );
  return rows.map((row) => ({
    blockNumber: Number(row.block_number),
    blockHash: new Uint8Array(row.block_hash),
    minedAt: row.anchored_at.getTime(),
  }));
}

/** What an attempt that is in no block any more becomes: open where it can be sent again. */
const REOPENED = `
  status = CASE WHEN EXISTS (SELECT 1 FROM ves_anchor_transactions x WHERE x.attempt_id = t.id AND x.raw IS NOT NULL)
                THEN 'open' ELSE 'lost' END,
  tx_hash = NULL, block_number = NULL, error = NULL`;

/**
 * The chain has other blocks from this number on: what was anchored there is not. Attempts that can be sent again are open
 * again, with their batches; those that are too old for that are lost, and their batches are to be sent anew.
 */
export async function retractFrom(connection: Connection, { chainId }: Target, blockNumber: number): Promise<void> {
  await connection.query(
    `UPDATE ves_anchor_attempts t SET ${REOPENED}
      WHERE status IN ('settled', 'failed') AND chain_id = $1 AND block_number >= $2`,
    [chainId, blockNumber],
  );
  await connection.query(
    `UPDATE ves_anchors a
        SET status = coalesce(t.status, 'pending'), attempt_id = t.id, chain_id = NULL, tx_hash = NULL,
            block_number = NULL, block_hash = NULL, anchored_at = NULL, revision = next_revision(a.revision)
       FROM ves_anchors b
       LEFT JOIN LATERAL (SELECT id, 'submitted' AS status FROM ves_anchor_attempts
                           WHERE id = b.attempt_id AND status = 'open') t ON true
      WHERE b.batch_id = a.batch_id AND a.status = 'anchored' AND a.chain_id = $1 AND a.block_number >= $2`,
    [chainId, blockNumber],
  );
}

/** The contract holds a stream only up to a number: batches after it are not anchored, whatever was noted. @returns whether any was */
export async function retractAfter(
  connection: Connection,
  { tenantId, storeId }: StreamRef,
  sequence: number,
): Promise<boolean> {
  const { rowCount } = await connection.query(
    `UPDATE ves_anchors a
        SET status = 'pending', attempt_id = NULL, chain_id = NULL, tx_hash = NULL, block_number = NULL, block_hash = NULL,
            anchored_at = NULL, revision = next_revision(a.revision)
      WHERE tenant_id = $1 AND store_id = $2 AND sequence_start > $3 AND status = 'anchored'`,
    [tenantId, storeId, sequence],
  );
  return (rowCount ?? 0) > 0;
}

/** Closed attempts whose nonces the chain has not seen: a reorganisation has taken them away, with nothing that was anchored. */
export async function reopenFrom(
  connection: Connection,
  { chainId }: Target,
  sender: Uint8Array,
  nonce: number,
): Promise<void> {
  await connection.query(
    `UPDATE ves_anchor_attempts t SET ${REOPENED}
      WHERE status IN ('settled', 'failed') AND chain_id = $1 AND sender = $2 AND nonce >= $3`,
    [chainId, Buffer.from(sender), nonce],
  );
}

/** Forgets the bytes of transactions that will not have to be sent again: of lost ones, and of those in no block above this. */
export async function forgetRaw(connection: Connection, blockNumber: number): Promise<void> {
  await connection.query(
    `UPDATE ves_anchor_transactions x SET raw = NULL FROM ves_anchor_attempts t
      WHERE t.id = x.attempt_id AND x.raw IS NOT NULL
        AND (t.status = 'lost' OR (t.status IN ('settled', 'failed') AND coalesce(t.block_number, t.head_block) < $1))`,
    [blockNumber],
  );
}
