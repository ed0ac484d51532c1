import { sha256, utf8, uuidFromBytes } from "../../src/ves/index.ts";

/** Choices that a seed decides: the same seed gives the same choices in the same order. */
export interface Random {
  /** A whole number, both ends included. */
  readonly int: (min: number, max: number) => number;
  readonly chance: (probability: number) => boolean;
  readonly pick: <Item>(list: readonly Item[]) => Item;
  /** Letters and digits that cannot be taken for one another. */
  readonly code: (length: number) => string;
  readonly uuid: () => string;
}

const CODE_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

export function seededRandom(seed: string): Random {
  let state = new DataView(sha256(utf8(seed.toWellFormed())).buffer).getUint32(0);

  // mulberry32: it never comes back to a state before all 2^32 were there, so no two UUIDs are the same.
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const int = (min: number, max: number): number => min + Math.floor((next() / 2 ** 32) * (max - min + 1));

  return {
    int,
    chance: (probability) => next() / 2 ** 32 < probability,
    pick: (list) => {
      const item = list[int(0, list.length - 1)];
      if (item === undefined) throw new Error("nothing to pick from");
      return item;
    },
    code: (length) => Array.from({ length }, () => CODE_ALPHABET.charAt(int(0, CODE_ALPHABET.length - 1))).join(""),
    uuid: () => {
      const bytes = Uint8Array.from({ length: 16 }, () => int(0, 255));
      bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
      bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
      return uuidFromBytes(bytes);
    },
  };
}
