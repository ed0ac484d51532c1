import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it, vi } from "vitest";
import type { Signer } from "../../../scripts/lib/signer.ts";
import { apiKeyHash } from "../../../src/access/api-key.ts";
import type { AuditEntry } from "../../../src/audit/entry.ts";
import { endpoints } from "../../../src/http/app.ts";
import { claimsFor, JWT_SECRET, signToken } from "../../support/tokens.ts";
import { AUDIT, auditLog, readAudit } from "./audit-log.ts";
import { AUDITED, type AuditedRequest, NOT_AUDITED } from "./audit-routes.ts";
import { seal, stubOf } from "./batches.ts";
import { accept, ADMIN, call, event, expectError, mint, newAgent, registerKey, type Reply, url } from "./harness.ts";

/** A credential, and what the log says of it. */
interface Credential {
  readonly headers: Readonly<Record<string, string>>;
  readonly actor: AuditEntry["actor"];
  readonly name: string | null;
}

const FROM = { "cf-connecting-ip": "2001:DB8:0:0::7", "user-agent": "auditor/1.0" };
const HOUR_MS = 3_600_000;

let signer: Signer;
let credentials: Readonly<Record<"api_key" | "jwt" | "bootstrap" | "public", Credential>>;

beforeAll(async () => {
  signer = await newAgent();
  const { tenantId, agentId } = signer;
  const key = await mint(signer, { admin: true });
  const claims = claimsFor(tenantId, { perms: "read,write,admin", agent: agentId, jti: "token-17" });
  const token = await signToken(claims);
  const own = (kind: "api_key" | "jwt"): Credential["actor"] => ({ kind, agent_id: agentId });
  credentials = {
    api_key: {
      headers: { authorization: `ApiKey ${key}` },
      actor: own("api_key"),
      name: apiKeyHash(key).slice(0, 16),
    },
    jwt: { headers: { authorization: `Bearer ${token}` }, actor: own("jwt"), name: "token-17" },
    bootstrap: {
      headers: { authorization: `ApiKey ${ADMIN}` },
      actor: { kind: "bootstrap", agent_id: null },
      name: null,
    },
    public: { headers: {}, actor: { kind: "public", agent_id: null }, name: null },
  };
});

function perform(method: string, request: AuditedRequest, { headers }: Credential): Promise<Reply> {
  const { path, body, settings } = request;
  const given = { key: null, headers: { ...FROM, ...headers }, settings: { JWT_SECRET, ...settings } };
  return call(method, path, body === undefined ? given : { ...given, body });
}

describe("every route that is no read", () => {
  it("is audited, or listed as one that is not", () => {
    const routes = endpoints.filter(({ method }) => method !== "GET").map(({ method, path }) => `${method} ${path}`);
    expect([...AUDITED.map(({ route }) => route), ...NOT_AUDITED].toSorted()).toEqual(routes.toSorted());
  });

  const cases = AUDITED.flatMap(({ route, isFor, request }) =>
    (isFor === "admins" ? (["api_key", "jwt", "bootstrap"] as const) : [isFor]).map(
      (kind) => [route, kind, request] as const,
    ),
  );
  it.each(cases)("%s by %s: one entry", { timeout: 15_000 }, async (route, kind, prepare) => {
    const request = await prepare(signer);
    const before = await auditLog(signer.tenantId);
    const credential = credentials[kind];
    const reply = await perform(route.split(" ", 1)[0] ?? "", request, credential);
    expect(reply.status).toBe(200);

    const tenantId = kind === "public" ? (reply.body as { tenantId: string }).tenantId : signer.tenantId;
    const log = await auditLog(tenantId);
    expect(log).toHaveLength(kind === "public" ? 1 : before.length + 1);
    expect(log.at(-1)).toMatchObject({
      ...request.entry,
      tenant_id: tenantId,
      actor: credential.actor,
      credential: credential.name,
      address: "2001:db8::7",
      user_agent: "auditor/1.0",
      request_id: reply.headers.get("x-request-id"),
    });
    expectNoSecret(log, reply);
  });
});

/** Neither what the request was made with nor what it was answered. */
function expectNoSecret(log: readonly AuditEntry[], reply: Reply): void {
  const text = JSON.stringify(log);
  const { apiKey } = reply.body as { apiKey?: string };
  const shown = Object.values(credentials).flatMap(({ headers }) => headers["authorization"]?.split(" ").at(-1) ?? []);
  for (const secret of [...shown, ...(apiKey === undefined ? [] : [apiKey])]) {
    expect(text).not.toContain(secret);
    expect(text).not.toContain(apiKeyHash(secret));
  }
}

describe("what changes nothing", () => {
  it("leaves no entry: refusals, repetitions, dry runs and reads", { timeout: 15_000 }, async () => {
    const own = await newAgent();
    const { tenantId, storeId, agentId } = own;
    await accept(own, await event(own));
    const key = await mint(own);
    const prefix = apiKeyHash(key).slice(0, 16);
    const revocation = url(`/api/v1/agents/${agentId}/api-keys/${prefix}`, { tenant_id: tenantId });
    const policy = { tenantId, allowedEventTypes: ["*"], allowedEntityTypes: ["*"] };
    const schema = { tenantId, eventType: "order.created", schemaJson: true };
    const { body } = await call<{ id: string }>("POST", "/api/v1/schemas", { body: schema });
    const repeated = async (): Promise<number[]> => {
      const replies = [
        await registerKey(own),
        await call("POST", "/api/v1/schemas", { body: schema }),
        await call("PUT", url(`/api/v1/schemas/${body.id}/status`, { tenant_id: tenantId }), {
          body: { status: "active" },
        }),
        await call("PUT", `/api/v1/agents/${agentId}/policy`, { body: policy }),
        await call("DELETE", revocation),
        await call("DELETE", url("/api/v1/agent-keys/1", { tenant_id: tenantId, agent_id: agentId })),
      ];
      return replies.map(({ status }) => status);
    };
    await repeated();
    const before = await auditLog(tenantId);
    expect(before.map(({ action }) => action)).toEqual([
      "agent_key.registered",
      "api_key.minted",
      "schema.registered",
      "agent_policy.set",
      "api_key.revoked",
      "agent_key.revoked",
    ]);
    expect(await repeated()).toEqual([409, 200, 200, 200, 200, 200]);

    const refused = await mint({ tenantId: crypto.randomUUID(), agentId }, { admin: true });
    for (const { route, isFor, request } of AUDITED.filter(({ route: of }) => of.includes("streams"))) {
      expect(isFor).toBe("bootstrap");
      const { path } = await request(await newAgent());
      const reply = await call(route.split(" ", 1)[0] ?? "", path, { key: refused, body: { tenantId, storeId } });
      expectError(reply, "INSUFFICIENT_PERMISSIONS", "Bootstrap administrator required");
    }
    const dryRun = { tenantId, storeId, dryRun: true };
    expect((await call("POST", "/api/v1/admin/streams/reencrypt", { body: dryRun })).status).toBe(200);
    expect((await readAudit(tenantId)).status).toBe(200);
    expect(await auditLog(tenantId)).toEqual(before);
  });

  it("a deployment that asks for no credential does not call anybody the administrator", async () => {
    const { tenantId } = await newAgent();
    const body = { tenantId };
    const settings = { AUTH_MODE: "disabled", ALLOW_AUTH_DISABLED: "true" };
    const path = `/api/v1/agents/${crypto.randomUUID()}/api-keys`;
    expect((await call("POST", path, { key: null, body, settings })).status).toBe(200);
    expect((await call("POST", path, { body, settings })).status).toBe(200);
    const [, anybody, administrator] = await auditLog(tenantId);
    expect(anybody?.actor).toEqual({ kind: "public", agent_id: null });
    expect(administrator?.actor).toEqual({ kind: "bootstrap", agent_id: null });
  });
});

describe("what is done to streams", () => {
  /** A deployment whose registries answer everything but what enters the audit log. */
  function withoutAudit(): { readonly TENANTS: unknown } {
    const get = (id: DurableObjectId): unknown =>
      new Proxy(env.TENANTS.get(id), {
        get: (stub, name) =>
          name === "recordAct" || name === "recordHourly"
            ? () => Promise.reject(new Error("the registry is away"))
            : (Reflect.get(stub, name) as unknown),
      });
    return { TENANTS: { idFromName: (name: string) => env.TENANTS.idFromName(name), get } };
  }

  const routes = AUDITED.filter(({ route }) => /anchor|streams/.test(route));
  it.each(routes.map(({ route, request }) => [route, request] as const))(
    "%s is not done when it cannot be recorded",
    async (_, prepare) => {
      const agent = await newAgent();
      const request = await prepare(agent);
      const { storeId, entry } = { storeId: request.entry.store_id ?? "", entry: request.entry };
      const stub = stubOf({ tenantId: agent.tenantId, storeId });
      const state = await stub.state();
      const anchorNow = vi.fn<() => Promise<unknown>>();
      const ANCHOR =
        request.settings === undefined ? undefined : { ...(request.settings["ANCHOR"] as object), anchorNow };
      const settings = { ...withoutAudit(), ...(ANCHOR === undefined ? {} : { ANCHOR }) };
      const { path, body } = request;
      const reply = await call("POST", path, { settings, ...(body === undefined ? {} : { body }) });
      expectError(reply, "SERVICE_UNAVAILABLE", /^The audit log cannot be written, and nothing was done/);
      expect(anchorNow).not.toHaveBeenCalled();
      expect(await stub.state()).toEqual(state);
      expect((await auditLog(agent.tenantId)).some(({ action }) => action === entry.action)).toBe(false);
    },
  );
});

describe("what is done to a stream in pieces", () => {
  it("is recorded once in an hour for whoever does it, from wherever he does it", async () => {
    const agent = await newAgent();
    const { tenantId, storeId } = agent;
    await accept(agent, await event(agent));
    const piece = (from: number, more: Readonly<Record<string, string>> = {}) =>
      call("POST", "/api/v1/admin/streams/reencrypt", {
        body: { tenantId, storeId, from },
        key: null,
        headers: { ...FROM, authorization: `ApiKey ${ADMIN}`, ...more },
      });
    const entries = async () =>
      (await auditLog(tenantId)).filter(({ action }) => action === "stream.reencryption_requested");
    vi.useFakeTimers({ toFake: ["Date"], now: Math.ceil(Date.now() / HOUR_MS) * HOUR_MS + 60_000 });
    try {
      for (const from of [1, 2, 1]) expect((await piece(from)).status).toBe(200);
      expect(await entries()).toHaveLength(1);
      for (const other of [{ "user-agent": "other/1.0" }, { "cf-connecting-ip": "2001:db8::8" }]) {
        for (const from of [1, 2]) expect((await piece(from, other)).status).toBe(200);
      }
      const [first, ...others] = await entries();
      expect(others.map(({ address, user_agent: by }) => [address, by])).toEqual([
        [first?.address, "other/1.0"],
        ["2001:db8::8", first?.user_agent],
      ]);
      vi.setSystemTime(Date.now() + HOUR_MS);
      for (const from of [1, 2]) expect((await piece(from)).status).toBe(200);
      const until = (await entries()).map(({ details }) => Date.parse(String(details["covers_until"])));
      const [start = 0] = until;
      expect(until.map((time) => time - start)).toEqual([0, 0, 0, HOUR_MS]);
    } finally {
      vi.useRealTimers();
    }
  });

  it("is recorded for each stream and each act", async () => {
    const { tenantId } = await newAgent();
    const stores = [crypto.randomUUID(), crypto.randomUUID()];
    for (let round = 0; round < 2; round++) {
      for (const storeId of stores)
        await call("POST", "/api/v1/admin/streams/restore", { body: { tenantId, storeId } });
    }
    const restorations = (await auditLog(tenantId)).filter(({ action }) => action === "stream.restoration_requested");
    expect(restorations.map(({ store_id: storeId }) => storeId)).toEqual(stores);
  });
});

describe("GET /api/v1/audit", () => {
  async function tenantWith(count: number): Promise<{ readonly tenantId: string; readonly agents: readonly string[] }> {
    const tenantId = crypto.randomUUID();
    const agents = Array.from({ length: count }, () => crypto.randomUUID());
    for (const agentId of agents) await mint({ tenantId, agentId });
    return { tenantId, agents };
  }

  it("answers in pages, each with the head, and an empty log with its beginning", async () => {
    const { tenantId } = await tenantWith(5);
    const log = await auditLog(tenantId);
    const pages = [await readAudit(tenantId, { limit: 2 }), await readAudit(tenantId, { from: 3, limit: 2 })];
    pages.push(await readAudit(tenantId, { from: 5, limit: 2 }));
    expect(pages.flatMap(({ body }) => body.entries)).toEqual(log);
    expect(pages.map(({ body }) => body.next)).toEqual([3, 5, null]);
    for (const { body } of pages) expect(body.head).toMatchObject({ sequence: 5, hash: log[4]?.hash });
    expect((await readAudit(tenantId, { from: 6 })).body).toMatchObject({ entries: [], next: null });
    expect((await readAudit(crypto.randomUUID())).body).toMatchObject({
      entries: [],
      next: null,
      head: { sequence: 0, hash: "00".repeat(32) },
    });
  });

  it("filters by action and by the agent whose credential was used", async () => {
    const own = await newAgent();
    const { tenantId, agentId } = own;
    const key = await mint(own, { admin: true });
    await mint({ tenantId, agentId: crypto.randomUUID() }, {}, key);
    const found = async (query: Record<string, string>): Promise<number[]> =>
      (await readAudit(tenantId, query)).body.entries.map(({ sequence }) => sequence);
    expect(await found({ action: "api_key.minted" })).toEqual([2, 3]);
    expect(await found({ agent_id: agentId })).toEqual([3]);
    expect(await found({ agent_id: agentId, action: "api_key.revoked" })).toEqual([]);
    expect((await readAudit(tenantId, { action: "api_key.minted", limit: 1 })).body.next).toBe(3);
  });

  it("is for administrators of the tenant", async () => {
    const { tenantId } = await tenantWith(1);
    const agent = { tenantId, agentId: crypto.randomUUID() };
    const admin = await mint(agent, { admin: true });
    const own = await call("GET", AUDIT, { key: admin });
    expect(own.status).toBe(200);
    expectError(await readAudit(tenantId, {}, await mint(agent)), "INSUFFICIENT_PERMISSIONS", /^Admin/);
    const other = await readAudit(crypto.randomUUID(), {}, admin);
    expectError(other, "INSUFFICIENT_PERMISSIONS", "Tenant access denied");
    expectError(await call("GET", AUDIT), "MISSING_REQUIRED_FIELD", /must name the tenant/);
    expectError(await readAudit(tenantId, { action: "nonsense" }), "INVALID_FIELD_VALUE", /^action/);
    expectError(await readAudit(tenantId, { from: 0 }), "INVALID_FIELD_VALUE", /^from/);
  });

  it("keeps what is too long out, and is written all the same", async () => {
    const own = await newAgent();
    const { tenantId, agentId } = own;
    const rules = Array.from({ length: 100 }, (_, n) => `${"r".repeat(200)}${n}`);
    const body = { tenantId, allowedEventTypes: rules, allowedEntityTypes: ["*"] };
    const headers = { "user-agent": "u".repeat(5_000) };
    expect((await call("PUT", `/api/v1/agents/${agentId}/policy`, { body, headers })).status).toBe(200);
    const entry = (await auditLog(tenantId)).at(-1);
    expect(entry?.user_agent).toBe("u".repeat(256));
    expect(entry?.details).toEqual({
      details_bytes: expect.any(Number) as number,
      details_sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    });
  });

  it("says nothing of what agents do every day", async () => {
    const own = await newAgent();
    await accept(own, await event(own));
    await seal(own, 1, 1);
    expect((await auditLog(own.tenantId)).map(({ action }) => action)).toEqual(["agent_key.registered"]);
  });
});
