import { authenticate } from "../access/authenticate.ts";
import { budgetOf } from "../access/budget.ts";
import { limitExceeded, limitHeaders } from "../access/limit-headers.ts";
import type { Principal } from "../access/principal.ts";
import type { NamedLimit } from "../limits/grant.ts";
import type { HeldGrants } from "../limits/held-grants.ts";
import { useBudget } from "../limits/request-budget.ts";
import type { AppContext } from "./context.ts";

/**
 * Finds out who a request comes from, and counts it for the limits of its tenant and its credential, before anything of it
 * is read.
 *
 * @throws RequestError whatever {@link authenticate} throws; RATE_LIMIT_EXCEEDED
 */
export async function admit(c: AppContext, held: HeldGrants): Promise<void> {
  const principal = await authenticate(c.req.raw.headers, c.env, c.get("config"));
  c.set("principal", principal);
  const budget = budgetOf(principal, c.get("config"));
  const standing = budget && (await useBudget(c.env, held, budget));
  if (standing === null) return;
  const { isAllowed, limit, remaining, resetMs } = standing;
  const state = { amount: limit.amount, remaining, resetMs };
  if (isAllowed) {
    for (const [name, value] of limitHeaders(state)) c.header(name, value);
    return;
  }
  throw limitExceeded(
    `${nameOf(principal, limit)} may make ${limit.amount} requests in ${limit.windowSeconds} s`,
    state,
  );
}

function nameOf({ tenantId, credentialId }: Principal, { key }: NamedLimit): string {
  if (key === credentialId) return "This API key";
  return tenantId === null ? "The bootstrap administrator" : "All credentials of this tenant together";
}
