import { z } from "zod";
import { anchorNow, anchorSetup, askChain } from "../anchor/anchor-client.ts";
import { RequestError } from "../errors.ts";
import { uuidField } from "../ves/index.ts";
import {
  anchoringJson,
  type anchoringResponse,
  setupMessage,
  verificationJson,
  type verificationResponse,
} from "./anchor-json.ts";
import { recordBefore } from "./audit-context.ts";
import { batchNotFound, type BatchStreamQuery, streamOfBatch, wholeStream } from "./batch-lookup.ts";
import { readBatch } from "./batch-reads.ts";
import type { AppContext } from "./context.ts";
import { existingStream } from "./stream-reads.ts";

/*
 * What both families ask of anchoring, and how it is done.
 */

export const anchorBody = z
  .object({
    batchId: uuidField,
    tenantId: uuidField.nullish().describe("The batch's stream; with storeId, or neither"),
    storeId: uuidField.nullish().describe("The batch's stream; with tenantId, or neither"),
  })
  .transform(({ batchId, tenantId, storeId }) => ({
    batch_id: batchId,
    tenant_id: tenantId ?? undefined,
    store_id: storeId ?? undefined,
  }))
  .superRefine(wholeStream);

/** The statuses of their errors beside those of every route. */
export const ANCHORING_ERRORS = [404, 500];

/**
 * Asked before any permission: where nothing is anchored, whoever has a credential may know. A Worker that does not answer now
 * passes; the question that follows finds that out again.
 *
 * @returns the id of the chain, or null while it is not known
 * @throws RequestError ANCHOR_NOT_CONFIGURED
 */
export async function requireAnchoring(c: AppContext): Promise<number | null> {
  const setup = await anchorSetup(c.env);
  if (setup.kind === "on") return setup.chainId;
  if (setup.kind === "unavailable") return null;
  throw new RequestError("ANCHOR_NOT_CONFIGURED", setupMessage(setup, c.get("principal")));
}

/** Anchors a sealed batch now. @throws RequestError BATCH_NOT_FOUND, and what {@link anchoringJson} throws */
export async function anchorBatch(
  c: AppContext,
  batchId: string,
  query: BatchStreamQuery,
): Promise<z.output<typeof anchoringResponse>> {
  const chainId = await requireAnchoring(c);
  const stream = await streamOfBatch(c, batchId, query, "admin");
  const batch = (await (await existingStream(c, stream, "admin"))?.batch(batchId)) ?? null;
  if (batch === null) throw batchNotFound(batchId, query);
  await recordBefore(c, stream.tenantId, {
    action: "batch.anchoring_requested",
    resource: { type: "batch", id: batchId },
    storeId: stream.storeId,
    details: {},
  });
  return anchoringJson({ stream, batch }, await anchorNow(c.env, stream, batchId), chainId);
}

/** Asks the contract for a batch. @throws RequestError BATCH_NOT_FOUND, and what {@link verificationJson} throws */
export async function verifyBatch(
  c: AppContext,
  batchId: string,
  query: BatchStreamQuery,
): Promise<z.output<typeof verificationResponse>> {
  await requireAnchoring(c);
  const { stream, batch } = await readBatch(c, batchId, query);
  const { sequenceStart, sequenceEnd, merkleRoot, newStateRoot: stateRoot } = batch;
  const answer = await askChain(c.env, { stream, batchId, sequenceStart, sequenceEnd, merkleRoot, stateRoot });
  return verificationJson(batchId, answer);
}
