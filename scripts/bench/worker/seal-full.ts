import { sealDue } from "../../../src/stream/seal.ts";
import type { StreamRef } from "../../../src/stream-ref.ts";
import type { SealLimits } from "../../../src/stream/seal-limits.ts";
import type { SqlStore } from "../../../src/storage/sql-store.ts";

/** Batches of the usual length, and never a shorter one because of its age. */
export const FULL_ONLY: SealLimits = { maxEvents: 1_024, maxAgeMs: Number.MAX_SAFE_INTEGER / 2 };

/** Seals the next batch as a stream does by itself, if it is full. */
export function sealFull(store: SqlStore, stream: StreamRef): boolean {
  return sealDue(store, stream, FULL_ONLY, Date.now(), crypto.randomUUID()) !== null;
}
