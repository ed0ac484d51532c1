import { log } from "../observe/log.ts";
import type { GrantRequest, NamedLimit } from "./grant.ts";
import type { HeldGrants, Standing } from "./held-grants.ts";

/** How long the object may take to answer. It takes some milliseconds, and no request hangs on it. */
const MAX_WAIT_MS = 2_000;

/** The limits that a request counts for, and the object that counts them. */
export interface RequestBudget {
  /** Name of the object: one for each tenant, so that a flood of one reaches no other's. */
  readonly object: string;
  /** Names what has these limits among all that the object counts. */
  readonly name: string;
  readonly limits: readonly NamedLimit[];
}

/**
 * Counts one request.
 *
 * @returns how its limits stand; null when the object could not be asked, and the request passes uncounted: a request that is
 * too much does less harm than a log that takes no events
 */
export async function useBudget(env: Env, held: HeldGrants, budget: RequestBudget): Promise<Standing | null> {
  const bucket = `${budget.object} ${budget.name}`;
  const askedAt = Date.now();
  const decided = held.use(bucket, budget.limits, askedAt);
  if (decided === null || "isAllowed" in decided) return decided;
  try {
    const grant = await inTime(ask(env, budget.object, decided));
    return held.settle(bucket, decided, grant, { askedAt, now: Date.now() });
  } catch (error) {
    log.error("rate limits could not be asked, and requests pass", { object: budget.object, error: String(error) });
    held.unanswered(bucket, Date.now());
    return null;
  }
}

async function ask(env: Env, object: string, question: GrantRequest) {
  return await env.LIMITS.get(env.LIMITS.idFromName(object)).grant(question);
}

/** @throws Error when it takes too long */
async function inTime<Answer>(answer: Promise<Answer>): Promise<Answer> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${MAX_WAIT_MS} ms`)), MAX_WAIT_MS);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
