import { log } from "../observe/log.ts";
import { inSpan } from "../observe/spans.ts";
import type { StreamRef } from "../stream-ref.ts";
import type { AnchorNowResult, AnchorService, AnchorSetup, ChainAnswer, ExpectedBatch, NotNow } from "./messages.ts";

/*
 * The anchoring Worker as the main one asks it. Nothing here throws: a call that fails is a result too.
 */

declare global {
  interface Env {
    /** The anchoring Worker. It is not in wrangler.toml, because a deployment without it is a whole one: it anchors nothing. */
    readonly ANCHOR?: AnchorService;
  }
}

/** The Worker is bound and did not answer: not deployed, overloaded, or of another version. */
export interface Unreachable extends NotNow {
  readonly kind: "unavailable";
}

const NOT_BOUND = "This deployment has no binding ANCHOR: nothing is anchored";

/** How anchoring is set up; without the Worker it is off. */
export function anchorSetup(env: Env): Promise<AnchorSetup | Unreachable> {
  return ask(env, { kind: "off", message: NOT_BOUND }, (service) => service.setup());
}

/** Anchors a batch of the stream that is sealed. Repeating it is safe. */
export function anchorNow(env: Env, stream: StreamRef, batchId: string): Promise<AnchorNowResult> {
  return ask(env, { kind: "not_configured", message: NOT_BOUND }, (service) => service.anchorNow(stream, batchId));
}

/** Asks the contract for the batch. */
export function askChain(env: Env, batch: ExpectedBatch): Promise<ChainAnswer> {
  return ask(env, { kind: "not_configured", message: NOT_BOUND }, (service) => service.verify(batch));
}

async function ask<T>(
  { ANCHOR: service }: Env,
  withoutIt: T,
  question: (service: AnchorService) => Promise<T>,
): Promise<T | Unreachable> {
  if (service === undefined) return withoutIt;
  try {
    return await inSpan("anchor", {}, () => question(service));
  } catch (error) {
    log.error("asking the anchoring Worker failed", { error: String(error) });
    return { kind: "unavailable", message: "The anchoring Worker cannot be reached" };
  }
}
