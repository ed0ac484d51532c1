import { z } from "zod";
import { RequestError } from "../errors.ts";
import type { InclusionProof, ProofResult } from "../stream/messages.ts";
import type { StreamStub } from "../stream/stream-client.ts";
import { uuidField } from "../ves/index.ts";
import { batchNotFound } from "./batch-lookup.ts";
import type { AppContext } from "./context.ts";
import { numberParam, streamQuery } from "./schemas.ts";
import { existingStream, type StreamQuery, streamOf } from "./stream-reads.ts";

/*
 * What both families ask for about proofs, and how it is read.
 */

/** Seconds after which a frozen stream is worth another look: it waits for an operator. */
const FROZEN_RETRY_AFTER = 60;

export type FoundProof = Extract<ProofResult, { kind: "proof" }>;

export const proofParams = z.object({ sequence_number: numberParam(1, Number.MAX_SAFE_INTEGER) });
export const proofQuery = streamQuery.extend({
  batch_id: uuidField.optional().describe("The batch that must hold the event; found when absent"),
});

/**
 * The proof of the event with this number.
 *
 * @throws RequestError EVENT_NOT_FOUND, NOT_YET_SEALED; of a batch that was named, BATCH_NOT_FOUND or INVALID_FIELD_VALUE
 */
export async function readProof(
  c: AppContext,
  sequenceNumber: number,
  query: z.output<typeof proofQuery>,
): Promise<FoundProof> {
  const stub = await existingStream(c, streamOf(query));
  if (query.batch_id !== undefined) await requireInBatch(stub, sequenceNumber, query.batch_id, query);
  const result = (await stub?.proof(sequenceNumber)) ?? { kind: "unknown_event" };
  return proofOf(result, `No event of this stream has number ${sequenceNumber} yet`);
}

/** The proof of the event with this id. @throws RequestError EVENT_NOT_FOUND, NOT_YET_SEALED */
export async function readProofOfEvent(c: AppContext, eventId: string, query: StreamQuery): Promise<FoundProof> {
  const stub = await existingStream(c, streamOf(query));
  const result = (await stub?.proofOfEvent(eventId)) ?? { kind: "unknown_event" };
  return proofOf(result, `Event ${eventId} is not in this stream`);
}

/** The proof of the event with this id, null as long as there is none. */
export async function readProofIfSealed(
  c: AppContext,
  eventId: string,
  query: StreamQuery,
): Promise<InclusionProof | null> {
  const result = await (await existingStream(c, streamOf(query)))?.proofOfEvent(eventId);
  return result?.kind === "proof" ? result.proof : null;
}

async function requireInBatch(
  stub: StreamStub | null,
  sequenceNumber: number,
  batchId: string,
  query: StreamQuery,
): Promise<void> {
  const batch = (await stub?.batch(batchId)) ?? null;
  if (batch === null) throw batchNotFound(batchId, query);
  const { sequenceStart: start, sequenceEnd: end } = batch;
  if (sequenceNumber < start || sequenceNumber > end) {
    const message = `batch_id: batch ${batchId} holds ${start} to ${end}, not ${sequenceNumber}; without batch_id the right one is found`;
    throw new RequestError("INVALID_FIELD_VALUE", message);
  }
}

function proofOf(result: ProofResult, unknownEvent: string): FoundProof {
  if (result.kind === "proof") return result;
  if (result.kind === "unknown_event") throw new RequestError("EVENT_NOT_FOUND", unknownEvent);
  const message = "The event is in the log, but its batch is not sealed yet";
  if (result.sealAt === null) {
    const frozen = `${message}: the stream is frozen, and seals nothing until that is resolved`;
    throw new RequestError("NOT_YET_SEALED", frozen, { retryAfter: FROZEN_RETRY_AFTER });
  }
  const retryAfter = Math.max(1, Math.ceil((result.sealAt - Date.now()) / 1_000));
  throw new RequestError("NOT_YET_SEALED", message, { retryAfter });
}
