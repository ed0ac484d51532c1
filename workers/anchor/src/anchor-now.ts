import type { AnchorNowResult } from "../../../src/anchor/messages.ts";
import { withPostgres } from "../../../src/mirror/postgres.ts";
import type { StreamRef } from "../../../src/stream-ref.ts";
import type { AnchorBatch } from "./batch.ts";
import { AnchorChain } from "./chain.ts";
import { type BatchState, readBatchState } from "./notes/batches.ts";
import { pause } from "./pause.ts";
import { anchorRound, type AnchorPlace } from "./round.ts";
import { ChainError } from "./rpc-errors.ts";
import type { AnchorSettings } from "./settings.ts";

const POLL_MS = 500;
const SLOW = "Anchoring takes longer than this request waits";
const CHAIN_AWAY = "The chain cannot be used now";

/**
 * Anchors what is due, one stream first, until one of its batches is in a block or time is up. Batches before it in the
 * stream go with it, since the contract takes them in order.
 *
 * @throws when Postgres fails
 */
export async function anchorNow(
  place: AnchorPlace,
  stream: StreamRef,
  batchId: string,
  timeMs: number,
): Promise<AnchorNowResult> {
  const until = Date.now() + timeMs;
  let before: BatchState | null = null;
  let message = SLOW;
  for (;;) {
    const state = await withPostgres(place.hyperdrive, (connection) => readBatchState(connection, stream, batchId));
    if (state === null) return { kind: "not_mirrored" };
    const result = await resultOf(place, state, before);
    if (result !== null) return result;
    before ??= state;
    if (Date.now() >= until) {
      if (state.status === "submitted") return { kind: "submitted", txHash: state.txHash };
      return { kind: "unavailable", message };
    }
    const report = await anchorRound(place, stream, until);
    // What exactly is wrong is the deployment's business, and may be about other tenants.
    message = report.isChainAway ? CHAIN_AWAY : SLOW;
    if (report.isBusy || report.open > 0 || report.sent > 0 || report.problems.length > 0) await pause(POLL_MS);
  }
}

/**
 * What there is to answer; null while there is not.
 *
 * @param before what was noted before the first round, null when none was made: until then, only what is final is sure
 */
async function resultOf(
  { settings }: AnchorPlace,
  { batch, status, txHash, blockNumber, refusal, refusals }: BatchState,
  before: BatchState | null,
): Promise<AnchorNowResult | null> {
  const { chainId } = settings;
  if (status === "anchored") {
    return { kind: "anchored", place: { chainId, txHash, blockNumber, isFinal: true }, wasThere: before === null };
  }
  if (before === null) return null;
  const mayBeMined = status === "pending" || blockNumber !== null;
  const isMined = mayBeMined && (await isInContract(settings, batch));
  if (isMined) return { kind: "anchored", place: { chainId, txHash, blockNumber, isFinal: false }, wasThere: false };
  const isRefused = status === "pending" && refusal !== null && refusals > before.refusals;
  return isRefused ? { kind: "refused", reason: refusal } : null;
}

async function isInContract(settings: AnchorSettings, batch: AnchorBatch): Promise<boolean> {
  const chain = new AnchorChain(settings);
  try {
    const [found] = await chain.batchesAt([batch], await chain.head());
    return found?.isSame === true;
  } catch (error) {
    if (error instanceof ChainError) return false;
    throw error;
  }
}
