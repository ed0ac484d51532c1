import { call, push, registerKey, type Server } from "../../../scripts/lib/client.ts";
import { newSigner, signEvent } from "../../../scripts/lib/signer.ts";
import type { StreamRef } from "../../../src/stream-ref.ts";
import type { WireEnvelope } from "../../../src/ves/index.ts";
import { waitUntil } from "./processes.ts";

/** What GET /api/v1/ves/commitments/{batch_id} says of a batch, as far as anchoring goes. */
export interface CommitmentDetail {
  readonly batch_id: string;
  readonly merkle_root: string;
  readonly new_state_root: string;
  readonly sequence_start: number;
  readonly sequence_end: number;
  readonly is_anchored: boolean;
  readonly chain_id: number | null;
  readonly chain_tx_hash: string | null;
  readonly chain_block_number: number | null;
  readonly anchored_at: string | null;
}

/** A stream that a test writes to, on a server that may be another one each time. */
export interface AnchoredStream extends StreamRef {
  /** `tenant_id` and `store_id` as a query. */
  readonly ids: string;
  /** In the log's order. */
  readonly events: readonly WireEnvelope[];
  readonly push: (count: number) => Promise<void>;
  /** Pushes so many events, seals them, and waits until they are in Postgres. @returns the batch's id */
  readonly seal: (count: number) => Promise<string>;
  readonly anchoredSequence: () => Promise<number>;
  readonly commitment: (batchId: string) => Promise<CommitmentDetail>;
  /** Ids of the batches that are anchored, or of those that are not, or of all; the first one first. */
  readonly batches: (anchored?: boolean) => Promise<string[]>;
}

export async function newAnchoredStream(server: () => Server): Promise<AnchoredStream> {
  const signer = await newSigner(crypto.randomUUID(), crypto.randomUUID());
  await registerKey(server(), signer);
  const { tenantId, storeId } = signer;
  const ids = `tenant_id=${tenantId}&store_id=${storeId}`;
  const events: WireEnvelope[] = [];
  const get = <Answer>(path: string): Promise<Answer> => call(server(), "GET", path);
  const head = (): Promise<{ readonly mirrored_sequence: number; readonly anchored_sequence: number }> =>
    get(`/api/v1/ves/head?${ids}`);
  const pushSome = async (count: number): Promise<void> => {
    const fact = { entityType: "order", entityId: "1", eventType: "order.changed", payload: { total: 1 } };
    const signed = await Promise.all(Array.from({ length: count }, () => signEvent(signer, fact)));
    await push(server(), signer.agentId, signed);
    events.push(...signed);
  };

  return {
    tenantId,
    storeId,
    ids,
    events,
    push: pushSome,
    seal: async (count) => {
      const sequenceStart = events.length + 1;
      await pushSome(count);
      const range = { tenantId, storeId, sequenceStart, sequenceEnd: events.length };
      const { batch_id: id } = await call<CommitmentDetail>(server(), "POST", "/api/v1/ves/commitments", range);
      await waitUntil(
        async () => (await head()).mirrored_sequence === events.length,
        10_000,
        "what was sealed is mirrored",
      );
      return id;
    },
    anchoredSequence: async () => (await head()).anchored_sequence,
    commitment: (batchId) => get(`/api/v1/ves/commitments/${batchId}?${ids}`),
    batches: async (anchored) => {
      const filter = anchored === undefined ? "" : `&anchored=${anchored}`;
      const answer = await get<{ commitments: CommitmentDetail[] }>(`/api/v1/ves/commitments?${ids}${filter}`);
      return answer.commitments.map(({ batch_id: id }) => id).toReversed();
    },
  };
}
