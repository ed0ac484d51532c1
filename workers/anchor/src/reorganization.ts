import { hexToBytes } from "viem";
import { equalBytes } from "../../../src/ves/index.ts";
import { type AnchorBlock, readAnchorBlocks, reopenFrom, retractFrom } from "./notes/reorganized.ts";
import { change, type Parts } from "./parts.ts";
import { ChainError } from "./rpc-errors.ts";

/** Blocks that are compared at once, when the newest one is gone. */
const BLOCKS_AT_ONCE = 50;

/**
 * Takes back what counted as final in blocks that the chain does not have any more, however deep the reorganisation was. A
 * block's hash stands for all blocks before it, so mostly one comparison is enough.
 *
 * @throws ChainError when the node is behind what was read of the chain before: that says nothing of it
 */
export async function retractReorganized(parts: Parts): Promise<void> {
  const { chain, connection, target } = parts;
  let retractedFrom: number | null = null;
  for (let below = Number.MAX_SAFE_INTEGER, limit = 1; ; limit = BLOCKS_AT_ONCE) {
    const noted = await readAnchorBlocks(connection, target, below, limit);
    const [highest] = noted;
    if (below === Number.MAX_SAFE_INTEGER && highest !== undefined) await requireUpToDate(parts, highest);
    const isCanonical = await areCanonical(parts, noted);
    const firstCanonical = isCanonical.indexOf(true);
    const gone = firstCanonical === -1 ? noted : noted.slice(0, firstCanonical);
    const last = gone.at(-1);
    if (last !== undefined) retractedFrom = below = last.blockNumber;
    if (last === undefined || firstCanonical !== -1) break;
  }
  const from = retractedFrom;
  if (from !== null)
    parts.problems.push(`the chain was reorganised: what was final from block ${from} on is not any more`);
  // What has anchored nothing stands in no block that was compared: its nonce tells.
  const used = await chain.nonceAt(chain.sender, parts.head);
  await change(parts, async (locked) => {
    if (from !== null) await retractFrom(locked, target, from);
    await reopenFrom(locked, target, hexToBytes(chain.sender), used);
  });
}

/** A chain that is shorter than it was, but later, is another one; one that is shorter and not later is a node that is behind. */
async function requireUpToDate({ chain, head }: Parts, { blockNumber, minedAt }: AnchorBlock): Promise<void> {
  if (blockNumber <= head || (await chain.blockTime(head)) > minedAt) return;
  throw new ChainError(`the chain's node is behind: it is at block ${head}, and block ${blockNumber} was there before`);
}

/** Whether the chain has these blocks. Those above its head are not asked for, of which some nodes make an error. */
async function areCanonical({ chain, head }: Parts, noted: readonly AnchorBlock[]): Promise<boolean[]> {
  const known = noted.filter(({ blockNumber }) => blockNumber <= head);
  const hashes = await chain.blockHashes(known.map(({ blockNumber }) => blockNumber));
  const byNumber = new Map(known.map(({ blockNumber }, index) => [blockNumber, hashes[index] ?? null]));
  return noted.map(({ blockNumber, blockHash }) => {
    if (blockNumber > head) return false;
    const hash = byNumber.get(blockNumber) ?? null;
    if (hash === null)
      throw new ChainError(`the chain's node says that it is at block ${head}, and has no block ${blockNumber}`);
    return equalBytes(hash, blockHash);
  });
}
