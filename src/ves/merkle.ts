import { ZERO_32, equalBytes } from "./bytes.ts";
import { VesError } from "./errors.ts";
import { PAD_LEAF, leafHash, nodeHash } from "./log-hash.ts";

/** A tree over a batch. `levels[0]` are the leaves, `levels[depth]` is the root alone; padding is not stored. */
export interface MerkleTree {
  readonly root: Uint8Array;
  /** log2 of `paddedLeafCount`, and the length of every path. */
  readonly depth: number;
  readonly paddedLeafCount: number;
  readonly levels: readonly (readonly Uint8Array[])[];
}

/** A claim that `leafHash` is leaf number `leafIndex` (from 0) of the tree with `root`; `path` runs from leaf to root. */
export interface InclusionClaim {
  readonly leafHash: Uint8Array;
  readonly leafIndex: number;
  readonly path: readonly Uint8Array[];
  readonly root: Uint8Array;
}

/** A claim that an event of one's own is in a sealed batch; hashes are recomputed from it, not taken from a server. */
export interface EventInclusionClaim {
  readonly tenantId: string;
  readonly storeId: string;
  readonly sequenceNumber: number;
  readonly eventSigningHash: Uint8Array;
  readonly agentSignature: Uint8Array;
  readonly sequenceStart: number;
  readonly leafCount: number;
  readonly path: readonly Uint8Array[];
  readonly root: Uint8Array;
}

/** Longest path that is looked at: no tree of 64-bit sequence numbers is deeper (VES 5.3). */
export const MAX_PATH_LENGTH = 64;

/** Roots of trees that are all padding, by depth; grown on demand. */
const padRoots: Uint8Array[] = [PAD_LEAF];

/**
 * Builds the tree over `leaves` in sequence order (VES 5.1). Padding subtrees are all alike, so they are hashed once per
 * process and a tree costs as many hashes as it has leaves. No leaves: the root is 32 zero bytes.
 */
export function merkleTree(leaves: readonly Uint8Array[]): MerkleTree {
  let level = leaves;
  const levels = [level];
  while (level.length > 1) {
    const parents: Uint8Array[] = [];
    for (let i = 0; i < level.length; i += 2) {
      parents.push(nodeHash(level[i] as Uint8Array, level[i + 1] ?? padRoot(levels.length - 1)));
    }
    level = parents;
    levels.push(level);
  }
  const depth = levels.length - 1;
  return { root: level[0] ?? ZERO_32, depth, paddedLeafCount: leaves.length === 0 ? 0 : 2 ** depth, levels };
}

/** The siblings of leaf `index` from leaf to root (VES 5.2). @throws VesError `out_of_range` */
export function inclusionPath(tree: MerkleTree, index: number): Uint8Array[] {
  const leafCount = tree.levels[0]?.length ?? 0;
  if (!Number.isInteger(index) || index < 0 || index >= leafCount) {
    throw new VesError("out_of_range", `leaf ${index} is not in a tree of ${leafCount} leaves`);
  }
  const path: Uint8Array[] = [];
  for (let height = 0; height < tree.depth; height++) {
    const sibling = Math.floor(index / 2 ** height) ^ 1;
    path.push(tree.levels[height]?.[sibling] ?? padRoot(height));
  }
  return path;
}

/** For each level, whether the running node is the left child: bit i of `index` is 0 (VES 5.2). */
export function directions(index: number, depth: number): boolean[] {
  return Array.from({ length: depth }, (_, height) => isLeftChild(index, height));
}

/** The root that a leaf and its path lead to (VES 5.3). */
export function foldInclusionPath(leaf: Uint8Array, index: number, path: readonly Uint8Array[]): Uint8Array {
  return path.reduce(
    (node, sibling, height) => (isLeftChild(index, height) ? nodeHash(node, sibling) : nodeHash(sibling, node)),
    leaf,
  );
}

/**
 * The interoperable rule (VES 5.3): the path leads to the root. It knows no leaf count, so it also says yes to padding,
 * to an inner node with a shortened path and to an index with extra high bits. Decide nothing by it; use
 * {@link verifyInclusionStrict} or {@link verifyEventInclusion}.
 */
export function verifyInclusion({ leafHash: leaf, leafIndex, path, root }: InclusionClaim): boolean {
  if (path.length > MAX_PATH_LENGTH || !Number.isSafeInteger(leafIndex) || leafIndex < 0) return false;
  if (leaf.length !== 32 || path.some((sibling) => sibling.length !== 32)) return false;
  return equalBytes(foldInclusionPath(leaf, leafIndex, path), root);
}

/** The rule for verifiers that matter (VES 5.3): also, the index is a real leaf's and the path has the tree's depth. */
export function verifyInclusionStrict(claim: InclusionClaim & { readonly leafCount: number }): boolean {
  const { leafIndex, leafCount, path } = claim;
  return (
    Number.isSafeInteger(leafCount) &&
    leafIndex < leafCount &&
    path.length === treeDepth(leafCount) &&
    verifyInclusion(claim)
  );
}

/**
 * The strict rule on an event itself (VES 5.3): its leaf is recomputed, so a valid answer means that this event with
 * this signature stands at this sequence number of the batch.
 *
 * @throws VesError for members out of their domain
 */
export function verifyEventInclusion(claim: EventInclusionClaim): boolean {
  const leafIndex = claim.sequenceNumber - claim.sequenceStart;
  const { leafCount, path, root } = claim;
  return verifyInclusionStrict({ leafHash: leafHash(claim), leafIndex, path, root, leafCount });
}

/** Depth of the tree over so many leaves: ceil(log2(leafCount)), without the rounding errors of floating-point logarithms. */
export function treeDepth(leafCount: number): number {
  let depth = 0;
  while (2 ** depth < leafCount) depth++;
  return depth;
}

function isLeftChild(index: number, height: number): boolean {
  // Not a bit operation: those see only the low 32 bits.
  return Math.floor(index / 2 ** height) % 2 === 0;
}

/** The root of a tree of 2^height padding leaves: what stands where a batch has no more events (VES 5.1). */
export function padRoot(height: number): Uint8Array {
  while (padRoots.length <= height) {
    const below = padRoots[padRoots.length - 1] as Uint8Array;
    padRoots.push(nodeHash(below, below));
  }
  return padRoots[height] as Uint8Array;
}
