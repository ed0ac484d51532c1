import { clientAddress } from "../access/client-address.ts";
import { addressText } from "../access/networks.ts";
import type { Principal } from "../access/principal.ts";
import type { AuditAct, AuditContext } from "../audit/entry.ts";
import { unavailable } from "../errors.ts";
import { log } from "../observe/log.ts";
import { hashPrefix } from "../tenant/hash-prefix.ts";
import { registryStub } from "../tenant/registry-client.ts";
import type { AppContext } from "./context.ts";

/** What the audit log says of who makes this request, and from where. Of a public route too, where that is nobody known. */
export function auditContext(c: AppContext): AuditContext {
  // Public routes set none.
  const principal = c.get("principal") as Principal | undefined;
  const address = clientAddress(c.req.raw.headers, c.get("config").trustedProxies);
  return {
    actor: { kind: principal?.kind ?? "public", agentId: principal?.agentId ?? null },
    credential: principal === undefined ? null : credentialName(principal),
    address: address === undefined ? null : addressText(address),
    userAgent: c.req.header("user-agent") ?? null,
    requestId: c.get("requestId"),
  };
}

/** The bootstrap administrator's key has no name: its hash would help to guess a key that people have made up. */
function credentialName({ kind, credentialId, tokenId }: Principal): string | null {
  return kind === "api_key" ? hashPrefix(credentialId) : tokenId;
}

/**
 * Enters in the tenant's audit log what is about to be done outside of its registry.
 *
 * @throws RequestError SERVICE_UNAVAILABLE when it cannot be entered: then it must not be done
 */
export async function recordBefore(c: AppContext, tenantId: string, act: AuditAct): Promise<void> {
  await entered(tenantId, act, () => registryStub(c.env, tenantId).recordAct(act, auditContext(c)));
}

/** As {@link recordBefore}, for each piece of what is done in many: the entry covers those that follow within the hour. */
export async function recordPieceBefore(c: AppContext, tenantId: string, act: AuditAct): Promise<void> {
  await entered(tenantId, act, () => registryStub(c.env, tenantId).recordHourly(act, auditContext(c)));
}

async function entered(tenantId: string, act: AuditAct, enter: () => Promise<void>): Promise<void> {
  try {
    await enter();
  } catch (error) {
    log.error("entering an act in the audit log failed", {
      action: act.action,
      tenant_id: tenantId,
      error: String(error),
    });
    throw unavailable("The audit log cannot be written, and nothing was done: repeat the request");
  }
}
