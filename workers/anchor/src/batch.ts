import type { StreamRef } from "../../../src/stream-ref.ts";
import type { ExpectedBatch } from "../../../src/anchor/messages.ts";

/** A sealed batch, as Postgres has it. */
export interface AnchorBatch extends ExpectedBatch {
  readonly prevStateRoot: Uint8Array;
}

/** A batch that is in no transaction. */
export interface PendingBatch extends AnchorBatch {
  /** It was refused before, and its time to try again has not come. */
  readonly isWaiting: boolean;
}

/** The batches of each stream, both in the order in which they come. */
export function byStream<B extends ExpectedBatch>(batches: readonly B[]): B[][] {
  return [...Map.groupBy(batches, ({ stream }) => nameOf(stream)).values()];
}

export function nameOf({ tenantId, storeId }: StreamRef): string {
  return `${tenantId}/${storeId}`;
}
