import type { Connection } from "../../../../src/mirror/postgres.ts";
import type { AnchorBatch } from "../batch.ts";
import type { SignedTransaction } from "../chain.ts";
import type { Target } from "../lease.ts";
import { BATCH_COLUMNS, batchOf, type BatchRow, WITH_COMMITMENT } from "./batch-row.ts";

/*
 * What is noted in Postgres about what was sent. The chain is the truth: a note says what to look for there. Whatever changes
 * a note runs under the lease.
 */

/** A nonce of the anchoring account, and what was sent under it. */
export interface Attempt {
  readonly id: number;
  readonly sender: Uint8Array;
  readonly nonce: number;
  /** The chain's head when it was noted. */
  readonly headBlock: number;
  /** Milliseconds since then. */
  readonly ageMs: number;
  readonly txHash: Uint8Array | null;
  readonly blockNumber: number | null;
  /** The latest first. */
  readonly transactions: readonly {
    readonly hash: Uint8Array;
    /** Null once it is too old to be sent again. */
    readonly raw: Uint8Array | null;
    readonly maxFeePerGas: bigint;
    readonly maxPriorityFeePerGas: bigint;
    /** Milliseconds since it was signed. */
    readonly ageMs: number;
    /** Whether a node has ever taken it, as far as that was heard. */
    readonly isTaken: boolean;
  }[];
  /** That it carries; none when it only takes its nonce, or once it has failed. */
  readonly batches: readonly AnchorBatch[];
}

/** Attempts that may still change, by nonce. */
export async function readOpenAttempts(connection: Connection, { chainId }: Target): Promise<Attempt[]> {
  const attempts = await connection.query<{
    id: string;
    sender: Buffer;
    nonce: string;
    head_block: string;
    age_ms: number;
    tx_hash: Buffer | null;
    block_number: string | null;
  }>(
    `SELECT id, sender, nonce, head_block, tx_hash, block_number,
            (extract(epoch FROM now() - created_at) * 1000)::float8 AS age_ms
       FROM ves_anchor_attempts
      WHERE status = 'open' AND chain_id = $1 ORDER BY nonce`,
    [chainId],
  );
  const ids = attempts.rows.map(({ id }) => id);
  const transactions = await connection.query<{
    attempt_id: string;
    tx_hash: Buffer;
    raw: Buffer | null;
    max_fee_per_gas: string;
    max_priority_fee_per_gas: string;
    age_ms: number;
    is_taken: boolean;
  }>(
    `SELECT attempt_id, tx_hash, raw, max_fee_per_gas, max_priority_fee_per_gas, sent_at IS NOT NULL AS is_taken,
            (extract(epoch FROM now() - created_at) * 1000)::float8 AS age_ms
       FROM ves_anchor_transactions WHERE attempt_id = ANY ($1) ORDER BY max_fee_per_gas DESC, created_at DESC`,
    [ids],
  );
  const batches = await connection.query<BatchRow & { attempt_id: string }>(
    `SELECT a.attempt_id, ${BATCH_COLUMNS} FROM ${WITH_COMMITMENT}
      WHERE a.attempt_id = ANY ($1) AND a.status = 'submitted'
      ORDER BY c.tenant_id, c.store_id, c.sequence_start`,
    [ids],
  );
  return attempts.rows.map((row) => ({
    id: Number(row.id),
    sender: new Uint8Array(row.sender),
    nonce: Number(row.nonce),
    headBlock: Number(row.head_block),
    ageMs: row.age_ms,
    txHash: row.tx_hash === null ? null : new Uint8Array(row.tx_hash),
    blockNumber: row.block_number === null ? null : Number(row.block_number),
    transactions: transactions.rows
      .filter(({ attempt_id }) => attempt_id === row.id)
      .map((transaction) => ({
        hash: new Uint8Array(transaction.tx_hash),
        raw: transaction.raw === null ? null : new Uint8Array(transaction.raw),
        maxFeePerGas: BigInt(transaction.max_fee_per_gas),
        maxPriorityFeePerGas: BigInt(transaction.max_priority_fee_per_gas),
        ageMs: transaction.age_ms,
        isTaken: transaction.is_taken,
      })),
    batches: batches.rows.filter(({ attempt_id }) => attempt_id === row.id).map(batchOf),
  }));
}

/** Nonces of an account from a number on that attempts have, also such as were closed before the chain lost them again. */
export async function readNonces(
  connection: Connection,
  { chainId }: Target,
  sender: Uint8Array,
  from: number,
): Promise<number[]> {
  const { rows } = await connection.query<{ nonce: string }>(
    "SELECT nonce FROM ves_anchor_attempts WHERE chain_id = $1 AND sender = $2 AND nonce >= $3 AND status <> 'lost'",
    [chainId, Buffer.from(sender), from],
  );
  return rows.map(({ nonce }) => Number(nonce));
}

/** Notes an attempt with its first transaction, before that is sent. */
export async function insertAttempt(
  connection: Connection,
  { chainId, contract }: Target,
  attempt: {
    readonly sender: Uint8Array;
    readonly nonce: number;
    readonly headBlock: number;
    readonly transaction: SignedTransaction;
    readonly batches: readonly AnchorBatch[];
  },
): Promise<void> {
  const { rows } = await connection.query<{ id: string }>(
    `INSERT INTO ves_anchor_attempts (chain_id, contract, sender, nonce, head_block) VALUES ($1, $2, $3, $4, $5) RETURNING id`,
    [chainId, Buffer.from(contract), Buffer.from(attempt.sender), attempt.nonce, attempt.headBlock],
  );
  const id = Number(rows[0]?.id);
  await insertTransaction(connection, id, attempt.transaction);
  const { rowCount } = await connection.query(
    `UPDATE ves_anchors SET status = 'submitted', attempt_id = $1, error = NULL
      WHERE batch_id = ANY ($2) AND status = 'pending'`,
    [id, attempt.batches.map(({ batchId }) => batchId)],
  );
  if (rowCount !== attempt.batches.length) throw new Error("a batch to be sent is not pending any more");
}

/** Notes a transaction of an attempt. One of an attempt that was lost may come again, to the last byte. */
export async function insertTransaction(
  connection: Connection,
  attemptId: number,
  transaction: SignedTransaction,
): Promise<void> {
  const { hash, raw, maxFeePerGas, maxPriorityFeePerGas } = transaction;
  await connection.query(
    `INSERT INTO ves_anchor_transactions (tx_hash, attempt_id, raw, max_fee_per_gas, max_priority_fee_per_gas)
     VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (tx_hash) DO UPDATE
        SET attempt_id = excluded.attempt_id, raw = excluded.raw, created_at = excluded.created_at, sent_at = NULL`,
    [Buffer.from(hash), attemptId, Buffer.from(raw), maxFeePerGas.toString(), maxPriorityFeePerGas.toString()],
  );
}

/** Notes that the node has taken a transaction. Needs no lease: it holds whoever finds it out. */
export async function noteSent(connection: Connection, hash: Uint8Array): Promise<void> {
  await connection.query("UPDATE ves_anchor_transactions SET sent_at = now() WHERE tx_hash = $1 AND sent_at IS NULL", [
    Buffer.from(hash),
  ]);
}

/** Notes where an open attempt is mined now; nulls for nowhere. */
export async function noteMined(
  connection: Connection,
  attemptId: number,
  mined: { readonly txHash: Uint8Array; readonly blockNumber: number } | null,
): Promise<void> {
  await connection.query("UPDATE ves_anchor_attempts SET tx_hash = $2, block_number = $3 WHERE id = $1", [
    attemptId,
    mined === null ? null : Buffer.from(mined.txHash),
    mined?.blockNumber ?? null,
  ]);
}

export async function closeAttempt(
  connection: Connection,
  attemptId: number,
  status: "settled" | "failed" | "lost",
  problem: string | null,
): Promise<void> {
  await connection.query("UPDATE ves_anchor_attempts SET status = $2, error = $3 WHERE id = $1", [
    attemptId,
    status,
    problem,
  ]);
}
