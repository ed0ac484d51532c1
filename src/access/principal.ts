import { RequestError } from "../errors.ts";
import type { Permissions } from "../tenant/messages.ts";

/** What the request has shown: `public` is nothing that counts, in a deployment that asks for no credential. */
export type PrincipalKind = "api_key" | "jwt" | "bootstrap" | "public";

/** Who a request comes from and what that credential may do. */
export interface Principal {
  readonly kind: PrincipalKind;
  /** Null for the bootstrap administrator, who belongs to no tenant and may act in all. */
  readonly tenantId: string | null;
  /** Null: all stores of the tenant. */
  readonly storeIds: readonly string[] | null;
  readonly permissions: Permissions;
  /** Set when the credential is one agent's own. */
  readonly agentId: string | null;
  /** When the credential ends, in milliseconds since the epoch; null: never. */
  readonly expiresAt: number | null;
  /** Names the credential among all, and is no secret: the same for every request that it makes. */
  readonly credentialId: string;
  /** The `jti` of a token; null for anything else. */
  readonly tokenId: string | null;
  /** Requests in RATE_LIMIT_WINDOW_SECONDS that the credential was given; null: no limit of its own. */
  readonly rateLimit: number | null;
  /** Names what its requests are counted under for that limit: the same for all credentials that share it. */
  readonly limitId: string;
}

export type Permission = keyof Permissions;

export const BOOTSTRAP_ADMIN: Principal = {
  kind: "bootstrap",
  tenantId: null,
  storeIds: null,
  permissions: { read: true, write: true, admin: true },
  agentId: null,
  expiresAt: null,
  credentialId: "bootstrap",
  tokenId: null,
  rateLimit: null,
  limitId: "bootstrap",
};

/** Whoever comes where no authentication is required: may do the same, and is not taken for the administrator. */
export const ANYBODY: Principal = { ...BOOTSTRAP_ADMIN, kind: "public" };

/**
 * Passes when the principal has the permission for the tenant and, where one is concerned, the store.
 *
 * It is asked before anything is looked up, so that an id of another tenant and an unknown id get the same answer.
 *
 * @throws RequestError INSUFFICIENT_PERMISSIONS
 */
export function requirePermission(
  principal: Principal,
  permission: Permission,
  tenantId: string,
  storeId?: string,
): void {
  if (!principal.permissions[permission]) {
    const name = permission.charAt(0).toUpperCase() + permission.slice(1);
    throw forbidden(`${name} permission required`);
  }
  if (principal.tenantId === null) return;
  if (principal.tenantId !== tenantId) throw forbidden("Tenant access denied");
  if (storeId !== undefined && principal.storeIds !== null && !principal.storeIds.includes(storeId)) {
    throw forbidden("Store access denied");
  }
}

/**
 * Passes when the principal has at least one of the permissions, whatever it has it for. For what concerns no one tenant,
 * and for what finds out by itself which tenant it concerns.
 *
 * @throws RequestError INSUFFICIENT_PERMISSIONS
 */
export function requireFlag({ permissions }: Principal, ...anyOf: readonly Permission[]): void {
  if (anyOf.some((permission) => permissions[permission])) return;
  const names = anyOf.join(" or ");
  throw forbidden(`${names.charAt(0).toUpperCase()}${names.slice(1)} permission required`);
}

/** Passes for the agent's own credential, where it is for anything at all, and for administrators of its tenant. */
export function requireAgentOrAdmin(principal: Principal, tenantId: string, agentId: string): void {
  const isOwn = principal.agentId === agentId && principal.tenantId === tenantId;
  if (isOwn && !principal.permissions.admin) requireFlag(principal, "read", "write");
  else requirePermission(principal, "admin", tenantId);
}

/** Passes for the administrator of the whole deployment only. */
export function requireBootstrapAdmin(principal: Principal): void {
  if (principal.tenantId !== null) throw forbidden("Bootstrap administrator required");
}

/**
 * The tenant that a request is about: the caller's own, which it may name again but not exceed. The administrator of the
 * whole deployment must name one, because whatever belongs to a tenant is in the tenant's own registry.
 *
 * @throws RequestError MISSING_REQUIRED_FIELD, INSUFFICIENT_PERMISSIONS
 */
export function tenantOf(principal: Principal, named: string | undefined): string {
  if (principal.tenantId === null) {
    if (named !== undefined) return named;
    throw new RequestError("MISSING_REQUIRED_FIELD", "The bootstrap administrator must name the tenant");
  }
  if (named !== undefined && named !== principal.tenantId) throw forbidden("Tenant access denied");
  return principal.tenantId;
}

export function forbidden(message: string): RequestError {
  return new RequestError("INSUFFICIENT_PERMISSIONS", message);
}
