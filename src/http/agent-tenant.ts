import { z } from "zod";
import { forbidden, type Principal } from "../access/principal.ts";
import { RequestError } from "../errors.ts";
import { uuidField } from "../ves/index.ts";

/** For routes whose path names an agent and no tenant. */
export const agentTenantQuery = z.object({
  tenant_id: uuidField.optional().describe("Needed from the bootstrap administrator, who belongs to no tenant"),
});

/** The caller's own tenant, which it may name again but not exceed. */
export function agentTenant(caller: Principal, named: string | undefined): string {
  if (caller.tenantId === null) {
    if (named !== undefined) return named;
    throw new RequestError("MISSING_REQUIRED_FIELD", "The bootstrap administrator must name the tenant");
  }
  if (named !== undefined && named !== caller.tenantId) throw forbidden("Tenant access denied");
  return caller.tenantId;
}
