import type { MiddlewareHandler } from "hono";
import { clientAddress } from "../access/client-address.ts";
import { isWithin } from "../access/networks.ts";
import { forbidden } from "../access/principal.ts";
import type { AppEnv } from "./context.ts";

/**
 * Keeps the administrative paths to the addresses of ADMIN_IP_ALLOWLIST, before anybody's credential is looked at. An
 * address that is not known is not among them.
 */
export const adminGuard: MiddlewareHandler<AppEnv> = async (c, next) => {
  const { adminNetworks, trustedProxies } = c.get("config");
  if (adminNetworks !== null && isAdministrative(c.req.path)) {
    const address = clientAddress(c.req.raw.headers, trustedProxies);
    if (address === undefined || !isWithin(address, adminNetworks)) {
      throw forbidden("This address may not reach the administrative routes");
    }
  }
  await next();
};

/** @param path as the router reads it, so that another spelling of it leads past neither or both */
function isAdministrative(path: string): boolean {
  return (
    path === "/metrics" ||
    path === "/health/detailed" ||
    path.startsWith("/admin") ||
    path === "/api/v1/admin" ||
    path.startsWith("/api/v1/admin/")
  );
}
