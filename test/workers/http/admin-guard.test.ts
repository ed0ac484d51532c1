import { describe, expect, it } from "vitest";
import { ADMIN, call, expectError, type Reply } from "./harness.ts";

const settings = { ADMIN_IP_ALLOWLIST: "192.0.2.0/24, 2001:db8::/32" };
const MESSAGE = "This address may not reach the administrative routes";

function from(address: string | null, path: string, more: { key?: string | null; settings?: object } = {}) {
  const headers: Record<string, string> = address === null ? {} : { "cf-connecting-ip": address };
  return call("GET", path, { key: more.key ?? null, headers, settings: { ...settings, ...more.settings } });
}

const expectRefused = (reply: Reply): void => expectError(reply, "INSUFFICIENT_PERMISSIONS", MESSAGE);

describe("ADMIN_IP_ALLOWLIST", () => {
  it.each([
    "/metrics",
    "/health/detailed",
    "/admin",
    "/admin/",
    "/admin/streams",
    "/administration",
    "/api/v1/admin",
    "/api/v1/admin/streams/restore",
    "/%6Detrics",
    "/health%2Fdetailed",
    "/api/v1/%61dmin/streams/restore",
  ])("guards %s, before it asks for a credential", async (path) => {
    for (const address of ["192.0.3.1", "2001:db9::1", "somewhere", null]) {
      const reply = await from(address, path);
      // What the router does not take for the path is not there either.
      if (path.includes("%2F")) expectError(reply, "RESOURCE_NOT_FOUND", /^There is no/);
      else expectRefused(reply);
    }
    const inside = await from("192.0.2.1", path);
    // The dashboard's page asks for no credential: it holds no data.
    expect(/^\/admin\/?$/.test(path) ? [200] : [401, 404]).toContain(inside.status);
  });

  it.each(["192.0.2.1", "::ffff:192.0.2.255", "2001:db8:ffff::1"])("lets %s in, and then asks", async (address) => {
    expectError(await from(address, "/health/detailed"), "AUTH_REQUIRED", /^Authentication required/);
    expect((await from(address, "/health/detailed", { key: ADMIN })).status).toBe(200);
  });

  it("guards nothing else", async () => {
    for (const path of ["/health", "/ready", "/docs", "/api/v1/sequencer/keys"]) {
      expect((await from("192.0.3.1", path)).status).toBe(200);
    }
    expect((await from("192.0.3.1", "/v1/commitments/pending", { key: ADMIN })).status).toBe(200);
  });

  it("unset, guards nothing", async () => {
    const open = { ADMIN_IP_ALLOWLIST: undefined };
    expect((await from("192.0.3.1", "/metrics", { key: ADMIN, settings: open })).status).toBe(200);
  });

  it("counts the address behind a trusted proxy, and only such a one", async () => {
    const headers = { "cf-connecting-ip": "203.0.113.1", "x-forwarded-for": "192.0.2.1" };
    const trusting = { ...settings, TRUST_PROXY_HEADERS: "true", TRUST_PROXY_ALLOWLIST: "203.0.113.1" };
    expect((await call("GET", "/metrics", { headers, settings: trusting })).status).toBe(200);
    expectRefused(await call("GET", "/metrics", { headers, settings }));
    const forged = { ...headers, "x-forwarded-for": "192.0.2.1, 198.51.100.1" };
    expectRefused(await call("GET", "/metrics", { headers: forged, settings: trusting }));
    const elsewhere = { ...headers, "cf-connecting-ip": "203.0.113.2" };
    expectRefused(await call("GET", "/metrics", { headers: elsewhere, settings: trusting }));
  });
});
