import { hexToBytes } from "viem";
import { equalBytes } from "../../../src/ves/index.ts";
import { type AnchorBlock, readAnchorBlocks, reopenFrom, retractFrom } from "./notes/reorganized.ts";
import { change, type Parts } from "./parts.ts";

/** Blocks that are compared at once, when the newest one is gone. */
const BLOCKS_AT_ONCE = 50;

/**
 * Takes back what counted as final in blocks that the chain does not have any more, however deep the reorganisation was. A
 * block's hash stands for all blocks before it, so mostly one comparison is enough.
 */
export async function retractReorganized(parts: Parts): Promise<void> {
  let retractedFrom: number | null = null;
  for (let below = Number.MAX_SAFE_INTEGER, limit = 1; ; limit = BLOCKS_AT_ONCE) {
    const noted = await readAnchorBlocks(parts.connection, below, limit);
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
  const used = await parts.chain.nonceAt(parts.chain.sender, parts.head);
  await change(parts, async (connection) => {
    if (from !== null) await retractFrom(connection, from);
    await reopenFrom(connection, parts.target, hexToBytes(parts.chain.sender), used);
  });
}

/** Whether the chain has these blocks. Those above its head are not asked for, of which some nodes make an error. */
async function areCanonical({ chain, head }: Parts, noted: readonly AnchorBlock[]): Promise<boolean[]> {
  const known = noted.filter(({ blockNumber }) => blockNumber <= head);
  const hashes = await chain.blockHashes(known.map(({ blockNumber }) => blockNumber));
  const byNumber = new Map(known.map(({ blockNumber }, index) => [blockNumber, hashes[index] ?? null]));
  return noted.map(({ blockNumber, blockHash }) => {
    const hash = byNumber.get(blockNumber) ?? null;
    return hash !== null && equalBytes(hash, blockHash);
  });
}
