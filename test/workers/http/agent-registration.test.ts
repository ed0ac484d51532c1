import { listDurableObjectIds, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { newSigner } from "../../../scripts/lib/signer.ts";
import type { ErrorCode } from "../../../src/errors.ts";
import { call, event, expectError, ingest, registerKey, type Reply, streamQuery, url, type Wire } from "./harness.ts";

const REGISTER = "/api/v1/agents/register";
const ON = { PUBLIC_AGENT_REGISTRATION_ENABLED: "true" };

interface Registered {
  readonly agentId: string;
  readonly tenantId: string;
  readonly apiKey: string;
  readonly permissions: string;
}

let clients = 0;
/** An address that nobody has used yet. */
const newAddress = (): string => `2001:db8:${(++clients).toString(16)}::1`;

function register(
  body: Wire,
  { from = newAddress(), settings = ON }: { from?: string; settings?: Record<string, unknown> } = {},
): Promise<Reply<Registered>> {
  return call("POST", REGISTER, { key: null, body, headers: { "cf-connecting-ip": from }, settings });
}

describe("an agent that registers itself", () => {
  it("gets a tenant, an id and a key, and works with them", async () => {
    const reply = await register({ name: " Order bot ", description: "takes orders" });
    expect(reply.body).toEqual({
      success: true,
      agentId: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      tenantId: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      apiKey: expect.stringMatching(/^ss_[\w-]{54}$/) as string,
      permissions: "read_write",
      message: "Keep the key: it is not shown again",
    });
    expect(reply.headers.get("cache-control")).toBe("no-store");
    expect(reply.headers.get("ratelimit-limit")).toBe("30");
    expect(reply.headers.get("ratelimit-remaining")).toBe("29");
    expect(Number(reply.headers.get("ratelimit-reset"))).toBeGreaterThanOrEqual(60);

    const { agentId, tenantId, apiKey } = reply.body;
    const signer = { ...(await newSigner(tenantId, crypto.randomUUID())), agentId };
    expect((await registerKey(signer)).status).toBe(200);
    expect((await ingest(signer, [await event(signer)], { key: apiKey })).body).toMatchObject({ eventsAccepted: 1 });
    const again = await register({ name: " Order bot " });
    expect(again.body.tenantId).not.toBe(tenantId);
    expect(again.body.agentId).not.toBe(agentId);
    const foreign = await call("GET", url("/api/v1/ves/head", streamQuery(signer)), { key: again.body.apiKey });
    expectError(foreign, "INSUFFICIENT_PERMISSIONS", "Tenant access denied");
  });

  it("gets no more than it asks for", async () => {
    const storeIds = [crypto.randomUUID()];
    const { body } = await register({ name: "r", store_ids: storeIds, read_only: true, rate_limit: 10, admin: false });
    expect(body.permissions).toBe("read");
    const agent = await call("GET", `/api/v1/agents/${body.agentId}`, { key: body.apiKey });
    expect(agent.body).toEqual({
      agentId: body.agentId,
      tenantId: body.tenantId,
      active: true,
      permissions: "read",
      storeIds,
      rateLimit: 10,
    });
  });

  const stores = (count: number): string[] => Array.from({ length: count }, () => crypto.randomUUID());
  it.each<[Wire]>([
    [{ name: "n".repeat(128) }],
    [{ name: `${" ".repeat(100)}${"é".repeat(64)}${" ".repeat(100)}` }],
    [{ name: "n", description: "d".repeat(1_024) }],
    [{ name: "n", description: null, tenantId: null, storeIds: null, readOnly: null, admin: null, rateLimit: null }],
    [{ name: "n", storeIds: stores(50) }],
    [{ name: "n", storeIds: [], rateLimit: 1 }],
    [{ name: "n", rateLimit: 10_000 }],
  ])("200: %j", async (body) => {
    expect((await register(body)).status).toBe(200);
  });

  it.each<[Wire, ErrorCode, string]>([
    [{ name: "" }, "INVALID_NAME", "name is blank"],
    [{ name: " \t\n" }, "INVALID_NAME", "name is blank"],
    [{ name: "n".repeat(129) }, "NAME_TOO_LONG", "name may have 128 bytes"],
    [{ name: "é".repeat(65) }, "NAME_TOO_LONG", "name may have 128 bytes"],
    [{ description: "d".repeat(1_025) }, "DESCRIPTION_TOO_LONG", "description may have 1024 bytes"],
    [{ storeIds: stores(51) }, "STORE_IDS_TOO_MANY", "storeIds may name 50 stores"],
    [{ rateLimit: 0 }, "RATE_LIMIT_INVALID", "rateLimit must be 1 to 10000"],
    [{ rateLimit: -1 }, "RATE_LIMIT_INVALID", "rateLimit must be 1 to 10000"],
    [{ rateLimit: 10_001 }, "RATE_LIMIT_INVALID", "rateLimit must be 1 to 10000"],
    [{ tenantId: crypto.randomUUID() }, "TENANT_ID_NOT_ALLOWED", "tenantId cannot be chosen: leave it out"],
    [{ tenant_id: "x" }, "TENANT_ID_NOT_ALLOWED", "tenantId cannot be chosen: leave it out"],
    [{ tenantId: 0 }, "TENANT_ID_NOT_ALLOWED", "tenantId cannot be chosen: leave it out"],
    [{ admin: true }, "ADMIN_NOT_ALLOWED", "Nobody becomes an administrator by registering"],
  ])("%j: %s", async (change, code, message) => {
    const reply = await register({ name: "n", ...change });
    expectError(reply, code, message);
    expect(reply.headers.get("ratelimit-remaining")).toBe("29");
  });

  it("is told the first thing that is wrong", async () => {
    const all: [string, Wire][] = [
      ["INVALID_NAME", { name: " " }],
      ["NAME_TOO_LONG", { name: "n".repeat(129) }],
      ["DESCRIPTION_TOO_LONG", { description: "d".repeat(1_025) }],
      ["STORE_IDS_TOO_MANY", { storeIds: stores(51) }],
      ["RATE_LIMIT_INVALID", { rateLimit: 0 }],
      ["TENANT_ID_NOT_ALLOWED", { tenantId: "x" }],
      ["ADMIN_NOT_ALLOWED", { admin: true }],
    ];
    for (const [index, [code]] of all.entries()) {
      const body: Wire = Object.assign(
        { name: "n" },
        ...all
          .slice(index)
          .map(([, change]) => change)
          .toReversed(),
      );
      expect((await register(body)).body).toMatchObject({ code });
    }
  });

  it.each<[Wire, string]>([
    [{}, "name: Invalid input: expected string, received undefined"],
    [{ name: 7 }, "name: Invalid input: expected string, received number"],
    [{ name: "n", storeIds: ["x"] }, "storeIds.0: expected a UUID"],
    [{ name: "n", readOnly: 1 }, "readOnly: Invalid input: expected boolean, received number"],
    [{ name: "n", rateLimit: 1.5 }, "rateLimit: Invalid input: expected int, received number"],
  ])("422: %j, before anything else", async (body, message) => {
    expectError(await register(body, { settings: {} }), "UNPROCESSABLE", message);
    expectError(await register(body), "UNPROCESSABLE", message);
  });

  it("400, 413 and 415 before anything else", async () => {
    const given = { key: null, settings: {} };
    expectError(await call("POST", REGISTER, { ...given, raw: "{" }), "MALFORMED_JSON", /^The body is not well-formed/);
    const text = { ...given, raw: "{}", headers: { "content-type": "text/plain" } };
    expectError(await call("POST", REGISTER, text), "UNSUPPORTED_MEDIA_TYPE", /^The body must be JSON/);
    const large = { ...given, body: { name: "n".repeat(65_536) } };
    expectError(await call("POST", REGISTER, large), "PAYLOAD_TOO_LARGE", "A body may have 65536 bytes");
  });

  it.each([{}, { PUBLIC_AGENT_REGISTRATION_ENABLED: "false" }])("403 where it is off: %j", async (settings) => {
    const reply = await register({ name: " " }, { settings });
    const message = "This deployment does not let agents register themselves";
    expectError(reply, "REGISTRATION_DISABLED", message);
    expect(reply.headers.get("ratelimit-limit")).toBeNull();
  });
});

describe("attempts to register", () => {
  const THREE = { ...ON, PUBLIC_AGENT_REGISTRATION_RATE_LIMIT_PER_MINUTE: "3" };

  it("are limited for each address, whatever they ask for", async () => {
    const from = newAddress();
    const attempt = (body: Wire): Promise<Reply> => register(body, { from, settings: THREE });
    expect((await attempt({ name: "n" })).headers.get("ratelimit-remaining")).toBe("2");
    expect((await attempt({ name: " " })).headers.get("ratelimit-remaining")).toBe("1");
    expect((await attempt({ name: "n", admin: true })).headers.get("ratelimit-remaining")).toBe("0");
    for (const body of [{ name: "n" }, { name: " " }]) {
      const reply = await attempt(body);
      expectError(reply, "RATE_LIMIT_EXCEEDED", "An address may try to register 3 agents in a minute");
      expect(reply.headers.get("ratelimit-limit")).toBe("3");
      expect(reply.headers.get("ratelimit-remaining")).toBe("0");
      const reset = Number(reply.headers.get("ratelimit-reset"));
      expect(reset).toBeGreaterThan(50);
      expect(reset).toBeLessThanOrEqual(61);
      expect(reply.headers.get("retry-after")).toBe(String(reset));
    }
    // What cannot be read is no attempt.
    expectError(await attempt({}), "UNPROCESSABLE", /^name/);
    expect((await register({ name: "n" }, { settings: THREE })).status).toBe(200);
  });

  it("are counted exactly when they come together", async () => {
    const from = newAddress();
    const replies = await Promise.all(
      Array.from({ length: 20 }, () => register({ name: "n" }, { from, settings: THREE })),
    );
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(3);
    expect(replies.filter(({ status }) => status === 429)).toHaveLength(17);
  });

  it("are counted together for a network of IPv6, for IPv4 in its two forms, and for who cannot be told apart", async () => {
    const one = { ...ON, PUBLIC_AGENT_REGISTRATION_RATE_LIMIT_PER_MINUTE: "1" };
    const statusFrom = async (from: string): Promise<number> =>
      (await register({ name: "n" }, { from, settings: one })).status;
    const pairs = [
      ["2001:db8:f:1::1", "2001:db8:f:1:ffff::2"],
      ["192.0.2.1", "::ffff:192.0.2.1"],
      ["somewhere", "elsewhere"],
    ] as const;
    for (const [first, second] of pairs)
      expect([await statusFrom(first), await statusFrom(second)]).toEqual([200, 429]);
    expect(await statusFrom("2001:db8:f:2::1")).toBe(200);
    expect(await statusFrom("192.0.2.2")).toBe(200);
  });

  it("through a trusted proxy are those of who is behind it", async () => {
    const settings = {
      ...ON,
      PUBLIC_AGENT_REGISTRATION_RATE_LIMIT_PER_MINUTE: "1",
      TRUST_PROXY_HEADERS: "true",
      TRUST_PROXY_ALLOWLIST: "203.0.113.0/24",
    };
    const statusOf = async (connected: string, forwarded: string): Promise<number> => {
      const headers = { "cf-connecting-ip": connected, "x-forwarded-for": forwarded };
      return (await call("POST", REGISTER, { key: null, body: { name: "n" }, headers, settings })).status;
    };
    expect(await statusOf("203.0.113.1", "198.51.100.1")).toBe(200);
    expect(await statusOf("203.0.113.2", "10.0.0.1, 198.51.100.1")).toBe(429);
    expect(await statusOf("203.0.113.1", "198.51.100.2")).toBe(200);
    expect(await statusOf("198.51.100.9", "198.51.100.3")).toBe(200);
    expect(await statusOf("198.51.100.9", "198.51.100.4")).toBe(429);
  });

  it("make no objects beyond sixteen, and write nothing", async () => {
    await Promise.all(Array.from({ length: 100 }, () => register({ name: " " })));
    const ids = await listDurableObjectIds(env.LIMITS);
    // One more counts the requests of an agent above that was given a limit.
    expect(ids.length).toBeLessThanOrEqual(16 + 1);
    for (const id of ids) {
      const tables = await runInDurableObject(env.LIMITS.get(id), (_, state) =>
        state.storage.sql.exec("SELECT name FROM sqlite_schema WHERE name NOT LIKE '\\_cf\\_%' ESCAPE '\\'").toArray(),
      );
      expect(tables).toEqual([]);
    }
  });
});
