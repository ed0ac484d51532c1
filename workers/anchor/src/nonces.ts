/** Nonces of the anchoring account that none of its transactions has. */
export interface Nonces {
  /** The lowest one, which is taken by this. */
  readonly next: () => number;
  /** Those below the highest one that is taken. */
  readonly gaps: () => number[];
  /** How many are taken. */
  readonly waiting: () => number;
}

/**
 * @param used how many nonces the chain has seen
 * @param ofAttempts those of the attempts that it has not
 */
export function freeNonces(used: number, ofAttempts: readonly number[]): Nonces {
  const taken = new Set(ofAttempts);
  const isFree = (nonce: number): boolean => !taken.has(nonce);
  return {
    next: () => {
      let nonce = used;
      while (!isFree(nonce)) nonce++;
      taken.add(nonce);
      return nonce;
    },
    gaps: () => {
      const highest = Math.max(used, ...taken);
      return Array.from({ length: highest - used }, (_, index) => used + index).filter(isFree);
    },
    waiting: () => taken.size,
  };
}
