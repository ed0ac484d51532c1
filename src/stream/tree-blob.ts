import { concat, type MerkleTree, padRoot } from "../ves/index.ts";

/*
 * How a batch's Merkle tree is stored: its nodes one after the other, 32 bytes each, the leaves first and the root last.
 * Padding is left out, as it is the same in every tree. A path is then a few slices of one row, and no event is read.
 */

const NODE_BYTES = 32;

export function packTree(tree: MerkleTree): Uint8Array {
  return concat(...tree.levels.flat());
}

/** The leaf with this index, from 0, and its siblings from the leaf to the root (VES 5.2). The hashes are copies. */
export function pathInTree(
  bytes: Uint8Array,
  leafCount: number,
  leafIndex: number,
): { readonly leafHash: Uint8Array; readonly path: readonly Uint8Array[] } {
  if (!(leafIndex >= 0 && leafIndex < leafCount)) throw new RangeError(`there is no leaf ${leafIndex} of ${leafCount}`);
  const node = (index: number): Uint8Array => bytes.slice(index * NODE_BYTES, (index + 1) * NODE_BYTES);
  const path: Uint8Array[] = [];
  let levelStart = 0;
  let index = leafIndex;
  let width = leafCount;
  for (let height = 0; width > 1; height++) {
    const sibling = index ^ 1;
    path.push(sibling < width ? node(levelStart + sibling) : padRoot(height));
    levelStart += width;
    index >>>= 1;
    width = Math.ceil(width / 2);
  }
  if (bytes.length !== (levelStart + 1) * NODE_BYTES)
    throw new Error(`${bytes.length} bytes are no tree of ${leafCount} leaves`);
  return { leafHash: node(leafIndex), path };
}
