import { describe, expect, test } from "vitest";
import {
  PAD_LEAF,
  VesError,
  directions,
  equalBytes,
  foldInclusionPath,
  fromHex,
  inclusionPath,
  leafHash,
  merkleTree,
  nodeHash,
  sha256,
  toHex,
  utf8,
  verifyEventInclusion,
  verifyInclusion,
  verifyInclusionStrict,
} from "../../src/ves/index.ts";
import { flipped } from "./samples.ts";
import { group } from "./vectors.ts";

const MAX_SIZE = 512;
const LEAVES = Array.from({ length: MAX_SIZE }, (_, i) => sha256(utf8(`ves-vector-leaf-${i}`)));

/** ceil(log2(size)), exact for the sizes used here. */
function depthOf(size: number): number {
  return Math.ceil(Math.log2(size));
}

function claimFor(size: number, index: number) {
  const tree = merkleTree(LEAVES.slice(0, size));
  return {
    leafHash: LEAVES[index] as Uint8Array,
    leafIndex: index,
    path: inclusionPath(tree, index),
    root: tree.root,
    leafCount: size,
  };
}

describe("VES 5.1: trees", () => {
  test.each(group<{ n: number }, { root: string; tree_depth?: number; padded_leaf_count?: number }>("merkle_root"))(
    "$id",
    ({ input, expected }) => {
      const tree = merkleTree(LEAVES.slice(0, input.n));
      expect(toHex(tree.root)).toBe(expected.root);
      expect(tree.depth).toBe(expected.tree_depth ?? 0);
      expect(tree.paddedLeafCount).toBe(expected.padded_leaf_count ?? 0);
    },
  );
});

describe("VES 5.2: paths", () => {
  interface Expected {
    leaf_hash: string;
    proof_path: string[];
    directions: boolean[];
    root: string;
  }

  test.each(group<{ n: number; index: number }, Expected>("inclusion_proof"))("$id", ({ input, expected }) => {
    const claim = claimFor(input.n, input.index);
    expect(toHex(claim.leafHash)).toBe(expected.leaf_hash);
    expect(claim.path.map(toHex)).toEqual(expected.proof_path);
    expect(directions(input.index, claim.path.length)).toEqual(expected.directions);
    expect(toHex(foldInclusionPath(claim.leafHash, input.index, claim.path))).toBe(expected.root);
    expect(verifyInclusion(claim)).toBe(true);
    expect(verifyInclusionStrict(claim)).toBe(true);
  });

  test(`every path of every tree up to ${MAX_SIZE} leaves is the definition's`, { timeout: 60_000 }, () => {
    // One padded tree of full width, into which the leaves are put one by one. A tree of n leaves is its left corner, so
    // each size costs a path of hashes and all siblings of all paths can be compared without hashing them again.
    const model: Uint8Array[][] = [Array.from({ length: MAX_SIZE }, () => PAD_LEAF)];
    for (let height = 0; height < depthOf(MAX_SIZE); height++) {
      const below = model[height]?.[0] as Uint8Array;
      model.push(Array.from({ length: MAX_SIZE >> (height + 1) }, () => nodeHash(below, below)));
    }
    for (let size = 1; size <= MAX_SIZE; size++) {
      for (let height = 0, at = size - 1; height < model.length; height++, at >>= 1) {
        const [left, right] = [model[height - 1]?.[2 * at], model[height - 1]?.[2 * at + 1]];
        (model[height] as Uint8Array[])[at] = left && right ? nodeHash(left, right) : (LEAVES[at] as Uint8Array);
      }
      const tree = merkleTree(LEAVES.slice(0, size));
      const depth = depthOf(size);
      expect([tree.depth, toHex(tree.root)]).toEqual([depth, toHex(model[depth]?.[0] as Uint8Array)]);
      for (let index = 0; index < size; index++) {
        const path = inclusionPath(tree, index);
        const matches = path.every((step, height) =>
          equalBytes(step, model[height]?.[(index >> height) ^ 1] as Uint8Array),
        );
        if (path.length !== depth || !matches) expect.fail(`leaf ${index} of ${size}`);
      }
    }
  });

  test.each([-1, 0.5, 5, 7, Number.NaN])("leaf %d of 5 has no path", (index) => {
    const tree = merkleTree(LEAVES.slice(0, 5));
    expect(() => inclusionPath(tree, index)).toThrow(VesError);
    expect(inclusionPath(tree, 4)).toHaveLength(3);
  });
});

describe("VES 5.3: verification", () => {
  interface Input {
    leaf_hash: string;
    proof_path: string[];
    leaf_index: number;
    merkle_root: string;
    leaf_count: number;
  }

  test.each(group<Input, { reference_verify: boolean; strict_valid: boolean }>("inclusion_proof_negative"))(
    "$id",
    ({ input, expected }) => {
      const claim = {
        leafHash: fromHex(input.leaf_hash),
        leafIndex: input.leaf_index,
        path: input.proof_path.map((sibling) => fromHex(sibling)),
        root: fromHex(input.merkle_root),
        leafCount: input.leaf_count,
      };
      expect(verifyInclusion(claim)).toBe(expected.reference_verify);
      expect(verifyInclusionStrict(claim)).toBe(expected.strict_valid);
    },
  );

  test("every leaf of every small tree, and of those around a power of two, verifies", () => {
    const small = Array.from({ length: 64 }, (_, i) => i + 1);
    for (const size of [...small, 127, 128, 129, 255, 256, 257, 511, 512]) {
      const tree = merkleTree(LEAVES.slice(0, size));
      for (let index = 0; index < size; index++) {
        const path = inclusionPath(tree, index);
        const claim = {
          leafHash: LEAVES[index] as Uint8Array,
          leafIndex: index,
          path,
          root: tree.root,
          leafCount: size,
        };
        // The strict rule contains the loose one, so this verifies both for the price of one fold.
        if (!verifyInclusionStrict(claim)) expect.fail(`leaf ${index} of ${size}`);
      }
    }
  });

  test("what the loose rule lets pass, the strict rule refuses", { timeout: 60_000 }, () => {
    const seen = { padding: 0, highBits: 0, innerNode: 0, extended: 0 };
    for (let size = 1; size <= 70; size++) {
      const tree = merkleTree(LEAVES.slice(0, size));
      const { root, depth } = tree;
      const base = { root, leafCount: size };
      const expectLooseOnly = (claim: { leafHash: Uint8Array; leafIndex: number; path: Uint8Array[] }) => {
        expect(verifyInclusion({ ...base, ...claim })).toBe(true);
        expect(verifyInclusionStrict({ ...base, ...claim })).toBe(false);
      };
      const lastLeaf = { leafHash: LEAVES[size - 1] as Uint8Array, path: inclusionPath(tree, size - 1) };
      expectLooseOnly({ ...lastLeaf, leafIndex: size - 1 + 2 ** depth });
      expectLooseOnly({ ...lastLeaf, leafIndex: size - 1 + 2 ** 40 });
      seen.highBits++;
      // An odd number of leaves has padding beside its last one, reached by the same path with one step exchanged.
      if (size % 2 === 1 && size > 1) {
        const path = [lastLeaf.leafHash, ...lastLeaf.path.slice(1)];
        expectLooseOnly({ leafHash: PAD_LEAF, leafIndex: size, path });
        seen.padding++;
      }
      if (depth >= 1) {
        const node = tree.levels[1]?.[0] as Uint8Array;
        expectLooseOnly({ leafHash: node, leafIndex: 0, path: inclusionPath(tree, 0).slice(1) });
        seen.innerNode++;
        // The same tree read as one with fewer leaves, whose depth is another.
        const claim = { leafHash: LEAVES[0] as Uint8Array, leafIndex: 0, path: inclusionPath(tree, 0), root };
        expect(verifyInclusionStrict({ ...claim, leafCount: 2 ** depth + 1 })).toBe(false);
        expect(verifyInclusionStrict({ ...claim, leafCount: 2 ** (depth - 1) })).toBe(false);
        seen.extended++;
      }
    }
    expect(seen).toEqual({ padding: 34, highBits: 70, innerNode: 69, extended: 69 });
  });

  test("any change to a valid claim makes it invalid", () => {
    for (const [size, index] of [
      [1, 0],
      [2, 1],
      [5, 4],
      [70, 33],
    ] as const) {
      const claim = claimFor(size, index);
      const { path } = claim;
      expect(verifyInclusionStrict(claim)).toBe(true);
      expect(verifyInclusion({ ...claim, leafHash: flipped(claim.leafHash) })).toBe(false);
      expect(verifyInclusion({ ...claim, root: flipped(claim.root, 31) })).toBe(false);
      expect(verifyInclusion({ ...claim, path: [...path, PAD_LEAF] })).toBe(false);
      for (const [step, sibling] of path.entries()) {
        expect(verifyInclusion({ ...claim, path: path.with(step, flipped(sibling)) })).toBe(false);
        expect(verifyInclusion({ ...claim, path: path.toSpliced(step, 1) })).toBe(false);
        expect(verifyInclusion({ ...claim, leafIndex: index ^ (1 << step) })).toBe(false);
      }
    }
  });

  test("claims of the wrong shape are invalid, not errors", () => {
    const claim = claimFor(5, 2);
    expect(verifyInclusion({ ...claim, leafHash: new Uint8Array(31) })).toBe(false);
    expect(verifyInclusion({ ...claim, path: [new Uint8Array(33), ...claim.path.slice(1)] })).toBe(false);
    for (const leafIndex of [-1, 0.5, Number.NaN, 2 ** 60]) {
      expect(verifyInclusion({ ...claim, leafIndex })).toBe(false);
      expect(verifyInclusionStrict({ ...claim, leafIndex })).toBe(false);
    }
    for (const leafCount of [0, -1, 2, 4.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(verifyInclusionStrict({ ...claim, leafCount })).toBe(false);
    }
    const path = Array.from({ length: 65 }, () => PAD_LEAF);
    const root = foldInclusionPath(PAD_LEAF, 0, path);
    expect(verifyInclusion({ leafHash: PAD_LEAF, leafIndex: 0, path, root })).toBe(false);
  });

  test("an event is verified by its own members", () => {
    const event = {
      tenantId: "64527dd3-a654-4410-9327-e58a1492ce77",
      storeId: "91def158-819a-4461-b5c9-7759750ad157",
      sequenceNumber: 12,
      eventSigningHash: LEAVES[0] as Uint8Array,
      agentSignature: new Uint8Array(64).fill(9),
    };
    const leaves = [...LEAVES.slice(0, 2), leafHash(event), ...LEAVES.slice(3, 7)];
    const tree = merkleTree(leaves);
    const claim = { ...event, sequenceStart: 10, leafCount: 7, path: inclusionPath(tree, 2), root: tree.root };
    expect(verifyEventInclusion(claim)).toBe(true);
    expect(verifyEventInclusion({ ...claim, sequenceNumber: 13 })).toBe(false);
    expect(verifyEventInclusion({ ...claim, sequenceStart: 11 })).toBe(false);
    expect(verifyEventInclusion({ ...claim, sequenceStart: 13 })).toBe(false);
    expect(verifyEventInclusion({ ...claim, leafCount: 2 })).toBe(false);
    expect(verifyEventInclusion({ ...claim, storeId: claim.tenantId })).toBe(false);
    expect(verifyEventInclusion({ ...claim, agentSignature: flipped(claim.agentSignature) })).toBe(false);
    expect(verifyEventInclusion({ ...claim, eventSigningHash: flipped(claim.eventSigningHash) })).toBe(false);
    expect(equalBytes(tree.root, merkleTree(LEAVES.slice(0, 7)).root)).toBe(false);
  });
});
