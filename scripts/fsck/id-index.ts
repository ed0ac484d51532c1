/*
 * A map from 128-bit ids to numbers, for more of them than a Map may hold and in a third of its room: ids and numbers lie
 * in two flat arrays, 24 bytes a slot, and between 37 and 75% of the slots are in use. So an id takes 32 to 64 bytes.
 */

export interface IdIndex {
  /** The number of this id, or undefined when it is not there. `id` has 16 bytes, later ones are not looked at. */
  readonly get: (id: Uint8Array) => number | undefined;
  /** Any number but NaN, which marks a free slot. */
  readonly set: (id: Uint8Array, value: number) => void;
}

const FIRST_CAPACITY = 1_024;
const MAX_LOAD = 0.75;
const WORDS = 4;

export function newIdIndex(): IdIndex {
  // Ids are chosen by agents: without a secret, they could be chosen to collide.
  const [seed = 0] = crypto.getRandomValues(new Uint32Array(1));
  const sought = new Uint32Array(WORDS);
  let capacity = FIRST_CAPACITY;
  let ids = new Uint32Array(WORDS * capacity);
  let values = new Float64Array(capacity).fill(Number.NaN);
  let size = 0;

  /** The slot of the id in `sought`, or the free one where it belongs. */
  const slotOf = (): number => {
    let hash = seed;
    for (const word of sought) {
      hash = Math.imul(hash ^ word, 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    let slot = (Math.imul(hash, 0x85ebca6b) >>> 0) & (capacity - 1);
    while (!Number.isNaN(values[slot])) {
      const at = WORDS * slot;
      if (
        ids[at] === sought[0] &&
        ids[at + 1] === sought[1] &&
        ids[at + 2] === sought[2] &&
        ids[at + 3] === sought[3]
      ) {
        break;
      }
      slot = (slot + 1) & (capacity - 1);
    }
    return slot;
  };
  const put = (slot: number, value: number): void => {
    ids.set(sought, WORDS * slot);
    values[slot] = value;
  };
  const grow = (): void => {
    const [oldIds, oldValues] = [ids, values];
    capacity *= 2;
    ids = new Uint32Array(WORDS * capacity);
    values = new Float64Array(capacity).fill(Number.NaN);
    for (const [slot, value] of oldValues.entries()) {
      if (Number.isNaN(value)) continue;
      sought.set(oldIds.subarray(WORDS * slot, WORDS * (slot + 1)));
      put(slotOf(), value);
    }
  };
  const seek = (id: Uint8Array): void => {
    for (let word = 0; word < WORDS; word++) {
      const at = 4 * word;
      sought[word] = ((id[at] ?? 0) << 24) | ((id[at + 1] ?? 0) << 16) | ((id[at + 2] ?? 0) << 8) | (id[at + 3] ?? 0);
    }
  };

  return {
    get: (id) => {
      seek(id);
      const value = values[slotOf()] as number;
      return Number.isNaN(value) ? undefined : value;
    },
    set: (id, value) => {
      if (size + 1 > MAX_LOAD * capacity) grow();
      seek(id);
      const slot = slotOf();
      if (Number.isNaN(values[slot])) size++;
      put(slot, value);
    },
  };
}
