import { z } from "zod";
import { sha256, toHex, utf8, uuidField } from "../ves/index.ts";
import type { Principal } from "./principal.ts";

/** Seconds by which the clocks of an issuer and of ours may differ. */
export const CLOCK_LEEWAY_SECS = 60;

const NIL_UUID = "00000000-0000-0000-0000-000000000000";

function commaList(text: string): string[] {
  return text === "" ? [] : text.split(",").map((item) => item.trim());
}

/** What a token says beside its issuer and audience. A value that cannot be read never becomes a wider right. */
const claims = z.object({
  // The nil tenant is how others write "all tenants"; here no token can be for all.
  sub: uuidField.refine((tenantId) => tenantId !== NIL_UUID),
  exp: z.int(),
  iat: z.int(),
  nbf: z.int(),
  jti: z.string().min(1),
  stores: z.string().default("").transform(commaList).pipe(z.array(uuidField)),
  agent: uuidField.nullish(),
  perms: z.string().default("").transform(commaList),
});

/**
 * Who a token with these claims comes from, or undefined when one is missing or not of its form. Unknown permissions give
 * nothing; no stores means all of the tenant's.
 */
export function principalOfClaims(payload: unknown): Principal | undefined {
  const parsed = claims.safeParse(payload);
  if (!parsed.success) return undefined;
  const { sub, exp, jti, stores, agent, perms } = parsed.data;
  const credentialId = toHex(sha256(utf8(JSON.stringify(["jwt", sub, jti]))));
  return {
    kind: "jwt",
    tenantId: sub,
    storeIds: stores.length === 0 ? null : stores,
    permissions: { read: perms.includes("read"), write: perms.includes("write"), admin: perms.includes("admin") },
    agentId: agent ?? null,
    expiresAt: (exp + CLOCK_LEEWAY_SECS) * 1_000,
    credentialId,
    tokenId: jti,
    rateLimit: null,
    limitId: credentialId,
  };
}
