import { type Address, hexToBytes, type Log, parseEventLogs, type PublicClient } from "viem";
import { stateSetAnchorAbi } from "../../../contracts/abi.ts";
import type { ExpectedBatch } from "../../../src/anchor/messages.ts";
import { uuidOfWord, uuidWord } from "./contract-call.ts";
import { hasResponded } from "./rpc-errors.ts";

/** Blocks whose logs are asked for at once, at first. Nodes that allow fewer are asked for half as many, and so on. */
const LOG_BLOCKS = 10_000;
/** How often logs are asked for, before it stays unknown where a batch was anchored. */
const LOG_REQUESTS = 20;

/** Where the contract's log says that a batch was anchored. */
export interface AnchorLog {
  readonly txHash: Uint8Array;
  readonly blockNumber: number;
  readonly blockHash: Uint8Array;
}

/** By the id of the batch. */
export type AnchorPlaces = ReadonlyMap<string, AnchorLog>;

/** Blocks, both ends included. */
interface BlockRange {
  readonly from: number;
  readonly to: number;
}

/** The contract whose logs are read, and whom they are asked from. */
interface LogSource {
  readonly client: PublicClient;
  readonly contract: Address;
}

/** What the logs of a receipt say. */
export function placesInReceipt(contract: Address, logs: readonly Log[]): AnchorPlaces {
  const ofContract = logs.filter(({ address }) => address.toLowerCase() === contract.toLowerCase());
  const parsed = parseEventLogs({ abi: stateSetAnchorAbi, eventName: "CommitmentAnchored", logs: ofContract });
  return placesOf(parsed);
}

/**
 * Where these batches were anchored. That is only told, so that no failure of the node stops anything: what it does not
 * say stays unknown.
 *
 * @param likely a block that is looked in before all others; null for none
 * @param from the first block to look in; null: where that is not known, as far back as is asked for at once
 * @param to the last one
 */
export async function findLogs(
  source: LogSource,
  batches: readonly ExpectedBatch[],
  { likely, from, to }: { readonly likely: number | null; readonly from: number | null; readonly to: number },
): Promise<AnchorPlaces> {
  const places = new Map<string, AnchorLog>();
  const missing = (): ExpectedBatch[] => batches.filter(({ batchId }) => !places.has(batchId));
  const look = async (range: BlockRange): Promise<"found" | "refused" | "failed"> => {
    try {
      for (const [batchId, place] of await logsIn(source, missing(), range)) places.set(batchId, place);
      return "found";
    } catch (error) {
      return hasResponded(error) ? "refused" : "failed";
    }
  };
  if (likely !== null && likely <= to && missing().length > 0) {
    // A node that refuses a single block refuses all.
    if ((await look({ from: likely, to: likely })) !== "found") return places;
  }
  let size = LOG_BLOCKS;
  let first = Math.max(0, from ?? to - size + 1);
  for (let requests = 0; first <= to && missing().length > 0 && requests < LOG_REQUESTS; requests++) {
    const outcome = await look({ from: first, to: Math.min(to, first + size - 1) });
    if (outcome === "failed" || (outcome === "refused" && size === 1)) break;
    if (outcome === "found") first += size;
    else size = Math.ceil(Math.min(size, to - first + 1) / 2);
  }
  return places;
}

async function logsIn(
  { client, contract }: LogSource,
  batches: readonly ExpectedBatch[],
  { from, to }: BlockRange,
): Promise<AnchorPlaces> {
  const logs = await client.getContractEvents({
    address: contract,
    abi: stateSetAnchorAbi,
    eventName: "CommitmentAnchored",
    args: { batchId: batches.map(({ batchId }) => uuidWord(batchId)) },
    fromBlock: BigInt(from),
    toBlock: BigInt(to),
    strict: true,
  });
  return placesOf(logs);
}

interface MinedLog {
  readonly args: { readonly batchId: `0x${string}` };
  readonly transactionHash: `0x${string}` | null;
  readonly blockNumber: bigint | null;
  readonly blockHash: `0x${string}` | null;
}

function placesOf(logs: readonly MinedLog[]): AnchorPlaces {
  return new Map(
    logs.flatMap(({ args, transactionHash, blockNumber, blockHash }) => {
      if (transactionHash === null || blockNumber === null || blockHash === null) return [];
      const place = {
        txHash: hexToBytes(transactionHash),
        blockNumber: Number(blockNumber),
        blockHash: hexToBytes(blockHash),
      };
      return [[uuidOfWord(args.batchId), place] as const];
    }),
  );
}
