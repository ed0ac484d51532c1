import { z } from "zod";
import { requireBootstrapAdmin } from "../access/principal.ts";
import { anchorSetup, askChain } from "../anchor/anchor-client.ts";
import type { AnchorSetup } from "../anchor/messages.ts";
import { RequestError, unavailable } from "../errors.ts";
import {
  type AnchorClaim,
  markTold,
  readRecordedBatch,
  recordAnchor,
  type RecordedBatch,
} from "../mirror/anchor-claims.ts";
import { type PendingCommitment, readPendingCommitments } from "../mirror/pending-commitments.ts";
import { postgresProblem } from "../mirror/postgres.ts";
import { log } from "../observe/log.ts";
import type { AnchorNote } from "../stream/messages.ts";
import { streamStub } from "../stream/stream-client.ts";
import type { StreamRef } from "../stream-ref.ts";
import { leafCountOf } from "../stream/wire-json.ts";
import { equalBytes, fromHex, to0xHex, toRfc3339Offset, VesError } from "../ves/index.ts";
import { notNow, setupMessage } from "./anchor-json.ts";
import { recordBefore } from "./audit-context.ts";
import { batchParams } from "./batch-lookup.ts";
import type { AppContext } from "./context.ts";
import { endpoint } from "./endpoint.ts";
import { hex0xText, limitParam, sequenceNumber, timeText, uuidText } from "./schemas.ts";

const DEFAULT_PENDING = 1_000;
const MAX_PENDING = 5_000;
const MAX_CHAIN_ID = 0xffff_ffff;

const pendingCommitment = z
  .object({
    batch_id: uuidText,
    tenant_id: uuidText,
    store_id: uuidText,
    prev_state_root: hex0xText,
    new_state_root: hex0xText,
    events_root: hex0xText,
    sequence_start: sequenceNumber,
    sequence_end: sequenceNumber,
    event_count: z.int().min(1),
    committed_at: timeText,
    chain_tx_hash: hex0xText
      .nullable()
      .describe("The transaction that carries it now, not final yet; null when none does"),
  })
  .meta({ id: "PendingCommitment" });

const anchoredBody = z.object({
  chainTxHash: z.string().describe("32 bytes in hex, with or without 0x"),
  chainId: z.int().describe("Fits in 32 bits"),
  blockNumber: z.int().min(0).nullish(),
  gasUsed: z.unknown().optional().describe("Taken, and of no use here"),
});

const anchoredResponse = z.object({
  batch_id: uuidText,
  status: z.enum(["anchored", "already_anchored"]).describe("already_anchored: what stands here was recorded before"),
  chain_tx_hash: hex0xText.nullable(),
  chain_id: z.int(),
  block_number: z.int().nullable(),
});

/** For services outside of this deployment that anchor its batches, or want to know which are to be anchored. */
export const anchorServiceEndpoints = [
  endpoint({
    method: "GET",
    path: "/v1/commitments/pending",
    tag: "Anchoring",
    summary: "Batches of all tenants that are not anchored, the oldest first",
    description:
      "For the bootstrap administrator. Batches of one stream are in their order, in which a contract takes them.",
    query: z.object({
      limit: limitParam(1, MAX_PENDING).optional().describe("Batches wanted, 1000 when absent, at most 5000"),
    }),
    response: z.object({ commitments: z.array(pendingCommitment), total: z.int().describe("Those that are listed") }),
    handle: async (c, { query }) => {
      requireBootstrapAdmin(c.get("principal"));
      const limit = query.limit ?? DEFAULT_PENDING;
      const pending = await inPostgres(c, (hyperdrive) => readPendingCommitments(hyperdrive, limit));
      return { commitments: pending.map(pendingJson), total: pending.length };
    },
  }),
  endpoint({
    method: "POST",
    path: "/v1/commitments/{batch_id}/anchored",
    tag: "Anchoring",
    summary: "Say that a batch is anchored",
    description: `For the bootstrap administrator. Where this deployment anchors, the contract is asked, and nothing is recorded:
the batch counts as anchored once it is final. Where it does not, the word is taken, once all earlier batches of the stream are
anchored. Repeating it is safe.`,
    params: batchParams,
    body: anchoredBody,
    response: anchoredResponse,
    errors: [404, 409],
    handle: async (c, { params: { batch_id: batchId }, body }) => {
      requireBootstrapAdmin(c.get("principal"));
      const claim = claimOf(body);
      const setup = await anchorSetup(c.env);
      if (setup.kind === "unavailable") throw unavailable(setup.message);
      if (setup.kind === "misconfigured") {
        throw new RequestError("ANCHOR_NOT_CONFIGURED", setupMessage(setup, c.get("principal")));
      }
      const batch = await existingBatch(c, batchId);
      if (batch.anchor !== null) return repeatedJson(c, batch, claim);
      if (setup.kind === "on") await requireOnChain(c, setup, batch, claim);
      else if (!(await record(c, batch, claim))) return repeatedJson(c, await existingBatch(c, batchId), claim);
      return anchoredJson(batchId, "anchored", claim);
    },
  }),
];

/** @throws RequestError INVALID_FIELD_VALUE */
function claimOf({ chainTxHash, chainId, blockNumber }: z.output<typeof anchoredBody>): AnchorClaim {
  if (chainId < 0 || chainId > MAX_CHAIN_ID) {
    throw new RequestError("INVALID_FIELD_VALUE", `chainId: expected a number from 0 to ${MAX_CHAIN_ID}`);
  }
  try {
    return { chainId, txHash: fromHex(chainTxHash, 32), blockNumber: blockNumber ?? null };
  } catch (error) {
    if (error instanceof VesError) throw new RequestError("INVALID_FIELD_VALUE", `chainTxHash: ${error.message}`);
    throw error;
  }
}

/** @throws RequestError BATCH_NOT_FOUND */
async function existingBatch(c: AppContext, batchId: string): Promise<RecordedBatch> {
  const batch = await inPostgres(c, (hyperdrive) => readRecordedBatch(hyperdrive, batchId));
  if (batch === null) throw new RequestError("BATCH_NOT_FOUND", `Postgres holds no batch ${batchId}`);
  return batch;
}

/** Answers for a batch that is recorded as anchored. @throws RequestError ALREADY_EXISTS with another transaction */
async function repeatedJson(c: AppContext, batch: RecordedBatch, claim: AnchorClaim) {
  const { stream, batchId, sequenceStart, revision, anchor } = batch;
  if (anchor === null) throw unavailable(`Batch ${batchId} changes at this moment: repeat the request`);
  if (anchor.txHash !== null && !equalBytes(anchor.txHash, claim.txHash)) {
    throw new RequestError("ALREADY_EXISTS", `Batch ${batchId} is anchored by transaction ${to0xHex(anchor.txHash)}`);
  }
  if (!batch.isTold) await tell(c, stream, { batchId, sequenceStart, revision, anchor });
  return anchoredJson(batchId, "already_anchored", anchor);
}

/** @throws RequestError INVALID_FIELD_VALUE, NOT_ANCHORED or SERVICE_UNAVAILABLE */
async function requireOnChain(
  c: AppContext,
  setup: AnchorSetup & { readonly kind: "on" },
  batch: RecordedBatch,
  claim: AnchorClaim,
): Promise<void> {
  if (claim.chainId !== setup.chainId) {
    throw new RequestError("INVALID_FIELD_VALUE", `chainId: this deployment anchors on chain ${setup.chainId}`);
  }
  const answer = await askChain(c.env, batch);
  if (answer.kind !== "answer") throw notNow(answer, batch.batchId);
  if (answer.isAnchored && answer.isSame) return;
  const found = answer.isAnchored ? "another batch under this id" : "no such batch";
  throw new RequestError(
    "NOT_ANCHORED",
    `The contract ${answer.contract} holds ${found} at block ${answer.blockNumber}`,
  );
}

/** Takes the caller's word. False when somebody else's was taken first. @throws RequestError INTEGRITY_VIOLATION */
async function record(c: AppContext, batch: RecordedBatch, claim: AnchorClaim): Promise<boolean> {
  await recordBefore(c, batch.stream.tenantId, {
    action: "batch.anchoring_reported",
    resource: { type: "batch", id: batch.batchId },
    storeId: batch.stream.storeId,
    details: { chain_id: claim.chainId, tx_hash: to0xHex(claim.txHash), block_number: claim.blockNumber },
  });
  const result = await inPostgres(c, (hyperdrive) => recordAnchor(hyperdrive, batch, claim));
  if (result.kind === "not_next") {
    const { batchId, sequenceStart } = result.first;
    const order = "a contract takes a stream's batches in their order";
    throw new RequestError(
      "INTEGRITY_VIOLATION",
      `Batch ${batchId}, which begins at ${sequenceStart}, comes first: ${order}`,
    );
  }
  if (result.kind === "recorded") await tell(c, batch.stream, result.note);
  return result.kind === "recorded";
}

/** Tells the stream's object. When that fails, the batch is anchored all the same, and a repetition tells it. */
async function tell(c: AppContext, stream: StreamRef, note: AnchorNote): Promise<void> {
  try {
    await streamStub(c.env, stream).noteAnchors([note]);
    await markTold(c.env.POSTGRES, note);
  } catch (error) {
    log.error("telling a stream that its batch is anchored failed", {
      tenant_id: stream.tenantId,
      store_id: stream.storeId,
      batch_id: note.batchId,
      error: String(error),
    });
  }
}

/** @throws RequestError ANCHOR_NOT_CONFIGURED without Postgres, SERVICE_UNAVAILABLE while it cannot be asked */
async function inPostgres<T>(c: AppContext, work: (hyperdrive: Hyperdrive) => Promise<T>): Promise<T> {
  const hyperdrive: Hyperdrive | undefined = c.env.POSTGRES;
  if (hyperdrive === undefined) {
    const message = "This deployment has no binding POSTGRES: batches are anchored from there";
    throw new RequestError("ANCHOR_NOT_CONFIGURED", message);
  }
  try {
    return await work(hyperdrive);
  } catch (error) {
    log.error("asking Postgres for what is anchored failed", { error: String(error) });
    throw unavailable(`${postgresProblem(error)}: repeat the request`);
  }
}

function pendingJson({ stream, batch, txHash }: PendingCommitment): z.output<typeof pendingCommitment> {
  return {
    batch_id: batch.batchId,
    tenant_id: stream.tenantId,
    store_id: stream.storeId,
    prev_state_root: to0xHex(batch.prevStateRoot),
    new_state_root: to0xHex(batch.newStateRoot),
    events_root: to0xHex(batch.merkleRoot),
    sequence_start: batch.sequenceStart,
    sequence_end: batch.sequenceEnd,
    event_count: leafCountOf(batch),
    committed_at: toRfc3339Offset(batch.committedAt),
    chain_tx_hash: txHash === null ? null : to0xHex(txHash),
  };
}

function anchoredJson(
  batchId: string,
  status: "anchored" | "already_anchored",
  { txHash, chainId, blockNumber }: Omit<AnchorClaim, "txHash"> & { readonly txHash: Uint8Array | null },
): z.output<typeof anchoredResponse> {
  return {
    batch_id: batchId,
    status,
    chain_tx_hash: txHash === null ? null : to0xHex(txHash),
    chain_id: chainId,
    block_number: blockNumber,
  };
}
