import type { Config } from "../config.ts";
import type { RequestBudget } from "../limits/request-budget.ts";
import type { Principal } from "./principal.ts";

/** Of the limit that all credentials of a tenant share. No credential has it for its id. */
const SHARED = "shared";

/**
 * The limits that the principal's requests count for: the tenant's, and the API key's own, which it shares with the keys that
 * it minted. Null: there are none.
 */
export function budgetOf(
  { tenantId, credentialId, rateLimit, limitId }: Principal,
  { requestsPerMinute, keyWindowSeconds }: Pick<Config, "requestsPerMinute" | "keyWindowSeconds">,
): RequestBudget | null {
  const shared = requestsPerMinute === null ? [] : [{ key: SHARED, amount: requestsPerMinute, windowSeconds: 60 }];
  const own = rateLimit === null ? [] : [{ key: limitId, amount: rateLimit, windowSeconds: keyWindowSeconds }];
  if (shared.length + own.length === 0) return null;
  return {
    object: tenantId === null ? "bootstrap" : `tenant/${tenantId}`,
    name: rateLimit === null ? SHARED : credentialId,
    limits: [...shared, ...own],
  };
}
