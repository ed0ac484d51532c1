import { setTimeout as sleep } from "node:timers/promises";
import { isAddress } from "viem";
import type { Receipt } from "../../src/ves/index.ts";
import { ApiError, call, type Server } from "../lib/client.ts";
import type { Progress } from "../lib/progress.ts";
import type { Stream } from "./agents.ts";
import { chainOf, verifyOnChain } from "./on-chain.ts";
import type { Outgoing } from "./outbox.ts";
import type { ChainNode } from "./server.ts";

/** What became of the log on chain. */
export type Anchoring =
  /** Nothing, and why. */
  | { readonly status: "none"; readonly reason: string }
  | {
      readonly status: "anchored";
      readonly chainId: number;
      readonly contract: string;
      readonly batches: number;
      /** Hashes, hex. */
      readonly transactions: readonly string[];
      /** Number of the event that the contract was asked for; null when no node of the chain is known. */
      readonly verifiedSequence: number | null;
    };

interface AnchorStatus {
  readonly anchor_enabled: boolean;
  readonly message: string;
  readonly chain_id: number | null;
  readonly contract_address: string | null;
}

interface Commitment {
  readonly batch_id: string;
  readonly sequence_start: number;
  readonly sequence_end: number;
}

interface CommitmentDetail extends Commitment {
  readonly is_anchored: boolean;
  readonly chain_tx_hash: string | null;
}

const POLL_MS = 250;
/** A deployment sends what is sealed once a minute, and its chain may take minutes to make that final. */
const PATIENCE_MS = 5 * 60_000;

/**
 * Waits until a sealed log is anchored and final, and has the contract itself find one of its events.
 *
 * @throws Error when it is not found there as it should be
 */
export async function verifyAnchors(
  server: Server,
  stream: Stream,
  { outgoing, receipts }: { readonly outgoing: readonly Outgoing[]; readonly receipts: ReadonlyMap<string, Receipt> },
  node: ChainNode | undefined,
  progress: Pick<Progress, "startEvents" | "advance">,
): Promise<Anchoring> {
  const status = await anchorStatus(server);
  const { chain_id: chainId, contract_address: contract } = status;
  if (chainId === null || contract === null || !isAddress(contract)) return { status: "none", reason: status.message };

  progress.startEvents("Anchor", receipts.size);
  const ids = `tenant_id=${stream.tenantId}&store_id=${stream.storeId}`;
  if (!(await untilAnchored(server, ids, receipts.size, progress))) {
    return { status: "none", reason: `${PATIENCE_MS / 60_000} minutes were not enough; it goes on by itself` };
  }
  const batches = await commitmentsOf(server, ids);
  const transactions = batches.map(({ chain_tx_hash: hash }) => hash ?? "unknown");
  const anchored = { status: "anchored", chainId, contract, batches: batches.length } as const;
  const verifiedSequence =
    node !== undefined && (await isOfChain(node, chainId))
      ? await verifyOne(server, ids, { rpcUrl: node.rpcUrl, contract }, { outgoing, receipts }, batches)
      : null;
  return { ...anchored, transactions: [...new Set(transactions)], verifiedSequence };
}

async function anchorStatus(server: Server): Promise<AnchorStatus> {
  try {
    return await call<AnchorStatus>(server, "GET", "/api/v1/anchor/status");
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 503)) throw error;
    return { anchor_enabled: false, message: error.detail, chain_id: null, contract_address: null };
  }
}

/** False when that takes too long. */
async function untilAnchored(
  server: Server,
  ids: string,
  head: number,
  { advance }: Pick<Progress, "advance">,
): Promise<boolean> {
  const deadline = Date.now() + PATIENCE_MS;
  for (let told = 0; Date.now() < deadline; await sleep(POLL_MS)) {
    const { anchored_sequence: anchored } = await call<{ anchored_sequence: number }>(
      server,
      "GET",
      `/api/v1/ves/head?${ids}`,
    );
    advance(anchored - told);
    told = anchored;
    if (anchored === head) return true;
  }
  return false;
}

/** All batches of the log, each of which must be anchored. @throws Error */
async function commitmentsOf(server: Server, ids: string): Promise<CommitmentDetail[]> {
  const { commitments } = await call<{ commitments: Commitment[] }>(
    server,
    "GET",
    `/api/v1/ves/commitments?${ids}&anchored=true&limit=1000`,
  );
  const details: CommitmentDetail[] = [];
  for (const { batch_id: id } of commitments) {
    details.push(await call<CommitmentDetail>(server, "GET", `/api/v1/ves/commitments/${id}?${ids}`));
  }
  const missing = details.find(({ is_anchored: isAnchored }) => !isAnchored);
  if (missing !== undefined)
    throw new Error(`Batch ${missing.batch_id} is listed as anchored, and says that it is not.`);
  return details;
}

/** Whether the node can be asked. @throws Error when one that was named for this run cannot */
async function isOfChain({ rpcUrl, isNamed }: ChainNode, chainId: number): Promise<boolean> {
  const found = await chainOf(rpcUrl);
  if (found === chainId || !isNamed) return found === chainId;
  throw new Error(
    found === undefined
      ? `No node of a chain answers at ${rpcUrl}.`
      : `The node at ${rpcUrl} is of chain ${found}, and the batches are anchored on chain ${chainId}.`,
  );
}

/** The middle one of the events, as its agent holds it. @returns its number */
async function verifyOne(
  server: Server,
  ids: string,
  chain: { readonly rpcUrl: string; readonly contract: `0x${string}` },
  { outgoing, receipts }: { readonly outgoing: readonly Outgoing[]; readonly receipts: ReadonlyMap<string, Receipt> },
  batches: readonly Commitment[],
): Promise<number> {
  const event = outgoing[Math.floor(outgoing.length / 2)]?.event;
  const number = event === undefined ? undefined : receipts.get(event.event_id)?.sequenceNumber;
  if (event === undefined || number === undefined) throw new Error("The log is empty.");
  const batch = batches.find(({ sequence_start: start, sequence_end: end }) => start <= number && number <= end);
  if (batch === undefined) throw new Error(`Event ${number} is in none of the anchored batches.`);
  const { proof_path: path } = await call<{ proof_path: string[] }>(
    server,
    "GET",
    `/api/v1/ves/proofs/${number}?${ids}`,
  );
  await verifyOnChain(chain, { event, sequenceNumber: number, batchId: batch.batch_id, path });
  return number;
}
