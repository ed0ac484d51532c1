import type { Connection } from "../../../src/mirror/postgres.ts";
import { equalBytes, to0xHex } from "../../../src/ves/index.ts";

/** Longer than a round takes; a run that dies holds up the others for so long. */
const LEASE_SECONDS = 120;

/** Another run may have taken over: whatever this one had in mind is out of date. */
export class LeaseLostError extends Error {
  override readonly name = "LeaseLostError";
}

/** The chain and the contract that a database's anchors are in. */
export interface Target {
  readonly chainId: number;
  readonly contract: Uint8Array;
}

export type LeaseResult =
  /** `isFirst`: nothing says yet which contract the database's anchors are in. */
  | { readonly kind: "taken"; readonly isFirst: boolean }
  /** Another run is at work. */
  | { readonly kind: "busy" }
  /** The database's anchors are elsewhere. */
  | { readonly kind: "other_target"; readonly reason: string };

/** Takes the right to change what is noted about anchors. */
export async function takeLease(connection: Connection, holder: string, target: Target): Promise<LeaseResult> {
  const { rows } = await connection.query<{ chain_id: string | null; contract: Buffer | null }>(
    `UPDATE ves_anchor_state
        SET lease_holder = $1, lease_until = now() + $2 * interval '1 second', last_run_at = now()
      WHERE lease_holder IS NULL OR lease_until < now()
      RETURNING chain_id, contract`,
    [holder, LEASE_SECONDS],
  );
  const [row] = rows;
  if (row === undefined) return { kind: "busy" };
  if (row.chain_id === null || row.contract === null) return { kind: "taken", isFirst: true };
  const noted = { chainId: Number(row.chain_id), contract: new Uint8Array(row.contract) };
  if (noted.chainId === target.chainId && equalBytes(noted.contract, target.contract)) {
    return { kind: "taken", isFirst: false };
  }
  const [there, here] = [noted, target].map(({ chainId, contract }) => `${to0xHex(contract)} on chain ${chainId}`);
  const reason = `what is anchored stands in the contract ${there}, and the configuration names ${here}: to anchor everything again, run npm run admin -- reanchor`;
  return { kind: "other_target", reason };
}

/** Decides, under the lease, which contract the database's anchors are in. */
export async function noteTarget(connection: Connection, { chainId, contract }: Target): Promise<void> {
  await connection.query("UPDATE ves_anchor_state SET chain_id = $1, contract = $2", [chainId, Buffer.from(contract)]);
}

/** Gives the lease back, with how it went: null for well. */
export async function endLease(connection: Connection, holder: string, problem: string | null): Promise<void> {
  await connection.query(
    `UPDATE ves_anchor_state
        SET lease_holder = NULL, lease_until = NULL, last_error = $2,
            last_success_at = CASE WHEN $2::text IS NULL THEN now() ELSE last_success_at END
      WHERE lease_holder = $1`,
    [holder, problem],
  );
}

/**
 * Runs `work` as one transaction that takes effect only while the lease is held: its row is locked until the end, so that
 * nobody can take the lease in between.
 *
 * @throws LeaseLostError
 */
export async function underLease<T>(connection: Connection, holder: string, work: () => Promise<T>): Promise<T> {
  await connection.query("BEGIN");
  try {
    const { rowCount } = await connection.query(
      "SELECT 1 FROM ves_anchor_state WHERE lease_holder = $1 AND lease_until > now() FOR UPDATE",
      [holder],
    );
    if (rowCount !== 1) throw new LeaseLostError("the run took longer than it may");
    const result = await work();
    await connection.query("COMMIT");
    return result;
  } catch (error) {
    // Where the connection is what failed, this fails too, and Postgres rolls back by itself.
    await connection.query("ROLLBACK").catch(() => undefined);
    throw error;
  }
}
