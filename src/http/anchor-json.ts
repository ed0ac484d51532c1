import { z } from "zod";
import type { Principal } from "../access/principal.ts";
import type { Unreachable } from "../anchor/anchor-client.ts";
import type { AnchorNowResult, AnchorSetup, ChainAnswer, NotNow } from "../anchor/messages.ts";
import { RequestError } from "../errors.ts";
import type { StreamBatch } from "../stream/wire-json.ts";
import { toHex } from "../ves/index.ts";
import { hexText, sequenceNumber, uuidText } from "./schemas.ts";

/*
 * What the anchoring Worker says, as it is answered.
 */

/** What became of a batch that was to be anchored. */
export const anchoringResponse = z
  .object({
    batch_id: uuidText,
    status: z
      .enum(["anchored", "already_anchored", "submitted"])
      .describe(
        "anchored: in a block. already_anchored: final before it was asked for. submitted: sent, and not in a block yet; it goes on by itself",
      ),
    is_final: z
      .boolean()
      .describe("Deep enough in the chain to stay there. Only then `is_anchored` of the commitment turns true"),
    chain_id: z.int().nullable(),
    chain_tx_hash: hexText.nullable().describe("null where the transaction is not known"),
    chain_block_number: z.int().nullable().describe("null until it is in a block"),
    merkle_root: hexText,
    sequence_start: sequenceNumber,
    sequence_end: sequenceNumber,
  })
  .meta({ id: "Anchoring" });

/** The same with the older family's name added. */
export const legacyAnchoringResponse = anchoringResponse
  .extend({ events_root: hexText.describe("The same as merkle_root") })
  .meta({ id: "LegacyAnchoring" });

/** What the contract says of a batch. */
export const verificationResponse = z
  .object({
    batch_id: uuidText,
    anchored_on_chain: z.boolean().describe("The contract holds this very batch"),
    mismatch: z.boolean().describe("The contract holds another batch under this id"),
    is_final: z.boolean().describe("What the contract holds is deep enough in the chain to stay there"),
    chain_id: z.int(),
    contract_address: z.string().describe("Hex with 0x"),
    block_number: z.int().describe("The block that was read"),
  })
  .meta({ id: "AnchorVerification" });

/**
 * @param chainId the chain that is configured, for a batch that is not there yet; null when it is not known
 * @throws RequestError ANCHOR_FAILED, ANCHOR_NOT_CONFIGURED or SERVICE_UNAVAILABLE, each with the batch's id
 */
export function anchoringJson(
  { batch }: StreamBatch,
  result: AnchorNowResult,
  chainId: number | null,
): z.output<typeof anchoringResponse> {
  return {
    batch_id: batch.batchId,
    ...placeJson(batch.batchId, result, chainId),
    merkle_root: toHex(batch.merkleRoot),
    sequence_start: batch.sequenceStart,
    sequence_end: batch.sequenceEnd,
  };
}

function placeJson(batchId: string, result: AnchorNowResult, chainId: number | null) {
  switch (result.kind) {
    case "anchored":
      return {
        status: result.wasThere ? ("already_anchored" as const) : ("anchored" as const),
        is_final: result.place.isFinal,
        chain_id: result.place.chainId,
        chain_tx_hash: hexOrNull(result.place.txHash),
        chain_block_number: result.place.blockNumber,
      };
    case "submitted":
      return {
        status: "submitted" as const,
        is_final: false,
        chain_id: chainId,
        chain_tx_hash: hexOrNull(result.txHash),
        chain_block_number: null,
      };
    case "refused":
      throw new RequestError("ANCHOR_FAILED", `Batch ${batchId} cannot be anchored: ${result.reason}`, {
        details: { batch_id: batchId },
      });
    case "not_mirrored":
      throw later(`Batch ${batchId} is not in Postgres yet, and is anchored from there: repeat the request`, batchId);
    case "not_configured":
    case "unavailable":
      break;
  }
  throw notNow(result, batchId);
}

/** @throws RequestError ANCHOR_NOT_CONFIGURED or SERVICE_UNAVAILABLE */
export function verificationJson(batchId: string, answer: ChainAnswer): z.output<typeof verificationResponse> {
  if (answer.kind !== "answer") throw notNow(answer, batchId);
  return {
    batch_id: batchId,
    anchored_on_chain: answer.isAnchored && answer.isSame,
    mismatch: answer.isAnchored && !answer.isSame,
    is_final: answer.isFinal,
    chain_id: answer.chainId,
    contract_address: answer.contract,
    block_number: answer.blockNumber,
  };
}

/**
 * What there is to say of a setup, for people. What exactly is wrong with one is the deployment's business: its
 * administrator alone is told.
 */
export function setupMessage(setup: AnchorSetup | Unreachable, { tenantId }: Principal): string {
  if (setup.kind === "on") return `Sealed batches are anchored on chain ${setup.chainId}`;
  if (setup.kind !== "misconfigured" || tenantId === null) return setup.message;
  return "The anchoring Worker's configuration is wrong; the bootstrap administrator is told how";
}

/** The error for an answer that could not be had. */
export function notNow({ kind, message }: NotNow, batchId: string): RequestError {
  return kind === "not_configured" ? new RequestError("ANCHOR_NOT_CONFIGURED", message) : later(message, batchId);
}

/** The batch's id is told because a range that was sealed by the same request is anchored by it from now on. */
function later(message: string, batchId: string): RequestError {
  return new RequestError("SERVICE_UNAVAILABLE", message, { retryAfter: 1, details: { batch_id: batchId } });
}

function hexOrNull(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : toHex(bytes);
}
