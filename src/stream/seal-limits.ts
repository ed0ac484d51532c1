/** Most events of one batch: whoever mirrors or restores it holds all of it in memory. */
export const MAX_BATCH_EVENTS = 4_096;

/** When a stream seals its events into a batch: when there are so many, or the oldest is so old. */
export interface SealLimits {
  readonly maxEvents: number;
  readonly maxAgeMs: number;
}

export const DEFAULT_SEAL_LIMITS: SealLimits = { maxEvents: 1_024, maxAgeMs: 5_000 };
