import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it, vi } from "vitest";
import type { Signer } from "../../../scripts/lib/signer.ts";
import { apiKeyHash } from "../../../src/access/api-key.ts";
import { withPostgres } from "../../../src/mirror/postgres.ts";
import { noteFrozen, noteThawed } from "../../../src/mirror/stream-tables.ts";
import { seal } from "./batches.ts";
import { accept, ADMIN, call, event, expectError, mint, newAgent, type Reply, textOf, type Wire } from "./harness.ts";

const ROUTES = ["overview", "tenants", "stores", "agents", "batches"];
const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$/) as string;
/** Nobody listens there. */
const AWAY = { POSTGRES: { connectionString: "postgres://nobody:nothing@127.0.0.1:9/nowhere" } };

const ask = <Body = Wire[]>(path: string, key: string, settings?: object): Promise<Reply<Body>> =>
  call<Body>("GET", `/api/v1/admin/${path}`, { key, ...(settings === undefined ? {} : { settings: { ...settings } }) });

async function rows(path: string, key: string): Promise<Wire[]> {
  const reply = await ask(path, key);
  expect(reply.status).toBe(200);
  return reply.body;
}

const byStore = (one: Wire, other: Wire): number => (textOf(one, "storeId") < textOf(other, "storeId") ? -1 : 1);

async function revoke({ tenantId, agentId }: Signer, key: string): Promise<void> {
  const prefix = apiKeyHash(key).slice(0, 16);
  const path = `/api/v1/agents/${agentId}/api-keys/${prefix}?tenant_id=${tenantId}`;
  expect((await call("DELETE", path)).status).toBe(200);
}

/** Two agents of a tenant, the first of which has written 3 events to one store, the second 2 to another. */
let first: Signer;
let second: Signer;
let key: string;
let stranger: Signer;
let strangersKey: string;

beforeAll(async () => {
  first = await newAgent();
  second = await newAgent(first.tenantId);
  stranger = await newAgent();
  for (const [signer, events] of [
    [first, 3],
    [second, 2],
    [stranger, 1],
  ] as const) {
    await accept(signer, ...(await Promise.all(Array.from({ length: events }, () => event(signer)))));
    await seal(signer, 1, events);
  }
  key = await mint(first, { admin: true });
  await mint(first, { readOnly: true });
  await revoke(first, await mint(first));
  await mint(second, { storeIds: [second.storeId] });
  await mint(second, { storeIds: [second.storeId], expiresAt: new Date(Date.now() + 200).toISOString() });
  strangersKey = await mint(stranger, { admin: true });
  await vi.waitFor(everythingIsMirrored, { timeout: 10_000, interval: 100 });
});

async function everythingIsMirrored(): Promise<void> {
  const { body } = await ask("overview", key);
  expect(body).toMatchObject({ totalHeadSequence: 5, apiKeys: 5, activeApiKeys: 3, agents: 2, stores: 2 });
  expect((await ask("overview", strangersKey)).body).toMatchObject({ totalHeadSequence: 1, apiKeys: 1 });
}

const numbers = () => ({
  apiKeyCount: 5,
  activeApiKeys: 3,
  totalHeadSequence: 5,
  activeStores24h: 2,
  maxProjectionLag: null,
  lastActivityAt: TIME,
});

describe("an administrator of a tenant is told of it, and of no other", () => {
  it("overview", async () => {
    const { apiKeyCount, ...rest } = numbers();
    const expected = { tenants: 1, stores: 2, agents: 2, apiKeys: apiKeyCount, ...rest };
    expect((await ask("overview", key)).body).toEqual(expected);
    expect((await ask(`overview?tenant_id=${first.tenantId}`, key)).body).toEqual(expected);
  });

  it("tenants", async () => {
    const own = { tenantId: first.tenantId, agentCount: 2, storeCount: 2, ...numbers(), lastKeyAt: TIME };
    expect(await rows("tenants", key)).toEqual([own]);
  });

  it("stores", async () => {
    const row = ({ tenantId, storeId }: Signer, headSequence: number, agentCount: number): Wire => ({
      tenantId,
      storeId,
      headSequence,
      anchoredSequence: 0,
      frozenReason: null,
      lastProjectedSequence: null,
      projectionLag: null,
      agentCount,
      lastAgentSyncAt: null,
      updatedAt: TIME,
    });
    expect(await rows("stores", key)).toEqual([row(first, 3, 1), row(second, 2, 2)].toSorted(byStore));
  });

  it("agents, each with what its active API keys allow", async () => {
    const row = { apiKeyCount: 0, lastSyncAt: null, lastPushedSequence: null, lastPulledSequence: null };
    const listed = await rows("agents", key);
    const times = { firstKeyAt: TIME, lastKeyAt: TIME };
    const signing = { signingKeyCount: 1, activeSigningKeys: 1 };
    expect(listed.find(({ agentId }) => agentId === first.agentId)).toEqual({
      ...row,
      ...times,
      ...signing,
      tenantId: first.tenantId,
      agentId: first.agentId,
      permissions: "admin",
      storeScope: "all",
      storeId: null,
      apiKeyCount: 3,
      activeApiKeys: 2,
    });
    expect(listed.find(({ agentId }) => agentId === second.agentId)).toEqual({
      ...row,
      ...times,
      ...signing,
      tenantId: first.tenantId,
      agentId: second.agentId,
      permissions: "read_write",
      storeScope: "scoped",
      storeId: second.storeId,
      apiKeyCount: 2,
      activeApiKeys: 1,
    });
    expect(listed).toHaveLength(2);
  });

  it("batches, newest first", async () => {
    const batches = await rows("batches", key);
    expect(batches.map(({ storeId, sequenceStart, sequenceEnd }) => [storeId, sequenceStart, sequenceEnd])).toEqual([
      [second.storeId, 1, 2],
      [first.storeId, 1, 3],
    ]);
    expect(batches[0]).toMatchObject({ tenantId: first.tenantId, committedAt: TIME, anchorStatus: "pending" });
    expect(await rows("batches?limit=1", key)).toEqual(batches.slice(0, 1));
  });

  it("is refused another tenant's, by its name too", async () => {
    for (const path of ["overview", "stores", "agents", "batches"]) {
      const reply = await ask(`${path}?tenant_id=${stranger.tenantId}`, key);
      expectError(reply, "INSUFFICIENT_PERMISSIONS", "Tenant access denied");
    }
    for (const path of ROUTES) expect((await ask(path, strangersKey)).text).not.toContain(first.tenantId);
  });

  it("for some stores, of these", async () => {
    const scoped = await mint(first, { admin: true, storeIds: [second.storeId] });
    expect((await rows("stores", scoped)).map(({ storeId }) => storeId)).toEqual([second.storeId]);
    expect((await rows("batches", scoped)).map(({ storeId }) => storeId)).toEqual([second.storeId]);
    expect((await ask("overview", scoped)).body).toMatchObject({ stores: 1, totalHeadSequence: 2, activeStores24h: 1 });
    expect(await rows("tenants", scoped)).toMatchObject([{ storeCount: 1, totalHeadSequence: 2 }]);
    await revoke(first, scoped);
  });
});

describe("the bootstrap administrator", () => {
  it("is told of all tenants, or of one", async () => {
    const all = (await ask<Record<string, number>>("overview", ADMIN)).body;
    expect(all["tenants"]).toBeGreaterThanOrEqual(2);
    expect(all["totalHeadSequence"]).toBeGreaterThanOrEqual(6);
    const one = await ask(`overview?tenant_id=${stranger.tenantId}`, ADMIN);
    expect(one.body).toMatchObject({ tenants: 1, stores: 1, agents: 1, apiKeys: 1, totalHeadSequence: 1 });
  });

  it("gets lists in pages, each row once", async () => {
    const walk = async (path: string, nextOf: (last: Wire) => string): Promise<Wire[]> => {
      const found: Wire[] = [];
      for (let page = await rows(path, ADMIN); page.length > 0;) {
        expect(page).toHaveLength(1);
        found.push(...page);
        page = await rows(`${path}&${nextOf(page[0] ?? {})}`, ADMIN);
      }
      return found;
    };
    const tenants = await walk("tenants?limit=1", (last) => `after=${textOf(last, "tenantId")}`);
    const ids = tenants.map((row) => textOf(row, "tenantId"));
    expect(ids).toEqual([...new Set(ids)].toSorted());
    expect(ids).toEqual(expect.arrayContaining([first.tenantId, stranger.tenantId]));

    const stores = `stores?tenant_id=${first.tenantId}&limit=1`;
    const storeAfter = (last: Wire): string =>
      `after_tenant_id=${textOf(last, "tenantId")}&after_store_id=${textOf(last, "storeId")}`;
    expect(await walk(stores, storeAfter)).toEqual(await rows("stores", key));

    const agents = `agents?tenant_id=${first.tenantId}&limit=1`;
    const agentAfter = (last: Wire): string =>
      `after_tenant_id=${textOf(last, "tenantId")}&after_agent_id=${textOf(last, "agentId")}`;
    expect(await walk(agents, agentAfter)).toEqual(await rows("agents", key));
  });
});

it("a store's row says why it is frozen, and how far it is anchored", async () => {
  const of = async (): Promise<Wire | undefined> =>
    (await rows("stores", key)).find(({ storeId }) => storeId === first.storeId);
  await withPostgres(env.POSTGRES, async (connection) => {
    const anchor = (status: string, at: string | null) =>
      connection.query("UPDATE ves_anchors SET status = $2, anchored_at = $3 WHERE store_id = $1", [
        first.storeId,
        status,
        at,
      ]);
    await noteFrozen(connection, first, "two histories");
    await anchor("anchored", new Date().toISOString());
    expect(await of()).toMatchObject({ frozenReason: "two histories", anchoredSequence: 3 });
    expect(await rows("batches", key)).toMatchObject([{ anchorStatus: "pending" }, { anchorStatus: "anchored" }]);
    await noteThawed(connection, first);
    await anchor("pending", null);
  });
  expect(await of()).toMatchObject({ frozenReason: null, anchoredSequence: 0 });
});

it("without Postgres there are no numbers, and the answer says so", async () => {
  for (const path of ROUTES) {
    const none = await ask(path, key, { POSTGRES: undefined });
    expectError(none, "SERVICE_UNAVAILABLE", /^This deployment has no binding POSTGRES: nothing is mirrored/);
    expectError(await ask(path, key, AWAY), "SERVICE_UNAVAILABLE", /^Postgres cannot be reached, and all that is/);
  }
});

it("half of a place in a list is refused", async () => {
  const tenant = `after_tenant_id=${first.tenantId}`;
  const missing = "after_store_id: expected beside after_tenant_id: give both or neither";
  expectError(await ask(`stores?${tenant}`, key), "MISSING_REQUIRED_FIELD", missing);
  expectError(await ask("agents?limit=0", key), "INVALID_FIELD_VALUE", /^limit: /);
});
