import { beforeAll, describe, expect, it } from "vitest";
import type { Signer } from "../../../scripts/lib/signer.ts";
import { apiKeyHash } from "../../../src/access/api-key.ts";
import { endpoints } from "../../../src/http/app.ts";
import { claimsFor, JWT_SECRET, signToken } from "../../support/tokens.ts";
import { accept, ADMIN, call, event, mint, newAgent, textOf } from "./harness.ts";
import { type Access, everyRoute, type Route } from "./routes.ts";

/*
 * Every route with every kind of credential: the exact status of each. The routes come from the list that the app is made
 * of, so one that is not placed in routes.ts fails here.
 */

type Credentials = Readonly<Record<string, Readonly<Record<string, string>>>>;

const NOBODY = [
  "none",
  "malformed",
  "unknown key",
  "expired key",
  "revoked key",
  "expired token",
  "forged token",
  "nil token",
] as const;
const READERS = [
  "reader",
  "writer",
  "other agent",
  "admin",
  "bootstrap",
  "token: read",
  "token: read, write",
  "token: read, write, agent",
  "token: read, write, other agent",
  "token: read, write, admin",
] as const;
const WRITERS = [
  "writer",
  "admin",
  "bootstrap",
  "token: write",
  "token: read, write",
  "token: read, write, agent",
  "token: read, write, admin",
] as const;
const OTHER_STORES = ["other store", "admin, other store", "token: read, write, other store"] as const;
const ADMINS = ["admin", "admin, other store", "bootstrap", "token: admin", "token: read, write, admin"] as const;
const FOREIGN = ["foreign admin", "foreign token: read, write, admin"] as const;
const POWERLESS = ["token: nothing", "token: nothing, agent"] as const;

type Kind =
  | (typeof NOBODY)[number]
  | (typeof READERS)[number]
  | (typeof WRITERS)[number]
  | (typeof OTHER_STORES)[number]
  | (typeof ADMINS)[number]
  | (typeof FOREIGN)[number]
  | (typeof POWERLESS)[number];

/** Whom a route serves. Everybody else gets 403, and nobody 401. */
const SERVED: Readonly<Record<Access, readonly Kind[]>> = {
  "store-read": READERS,
  "store-write": [...WRITERS, "other agent", "token: read, write, other agent"],
  ingest: WRITERS,
  "tenant-read": [...READERS, ...OTHER_STORES],
  "tenant-write": [...WRITERS, "other agent", "token: read, write, other agent", ...OTHER_STORES],
  "store-admin": ["admin", "bootstrap", "token: admin", "token: read, write, admin"],
  "tenant-admin": ADMINS,
  "sealing-admin": ["admin", "bootstrap", "token: read, write, admin"],
  "own-agent": [...ADMINS, "reader", "writer", "other store", "token: read, write, agent"],
  "own-agent-write": [...ADMINS, "writer", "other store", "token: read, write, agent"],
  "own-cursor": ["reader", "writer", "admin", "bootstrap", "token: read, write, agent", "token: read, write, admin"],
  "any-reader": [...READERS, ...OTHER_STORES, ...ADMINS, ...FOREIGN],
  "any-admin": [...ADMINS, ...FOREIGN],
  bootstrap: ["bootstrap"],
  public: [...NOBODY, ...READERS, ...WRITERS, ...OTHER_STORES, ...ADMINS, ...FOREIGN, ...POWERLESS],
};

const settings = { JWT_SECRET };
let routes: readonly Route[];
let credentials: Credentials;

const key = (text: string) => ({ authorization: `ApiKey ${text}` });
const token = async (tenantId: string, change: Readonly<Record<string, unknown>>, secret = JWT_SECRET) => ({
  authorization: `Bearer ${await signToken(claimsFor(tenantId, change), { key: secret })}`,
});

async function credentialsFor(signer: Signer): Promise<Credentials> {
  const { tenantId, agentId } = signer;
  const colleague = { tenantId, agentId: crypto.randomUUID() };
  const stranger = { tenantId: crypto.randomUUID(), agentId };
  const storeIds = [crypto.randomUUID()];
  const everything = "read,write,admin";
  const revoked = await mint(signer);
  const revocation = `/api/v1/agents/${agentId}/api-keys/${apiKeyHash(revoked).slice(0, 16)}?tenant_id=${tenantId}`;
  expect((await call("DELETE", revocation)).status).toBe(200);
  const expired = await mint(signer, { expiresAt: new Date(Date.now() + 300).toISOString() });
  await scheduler.wait(350);
  return {
    none: {},
    malformed: { authorization: `Basic ${btoa(`a:${ADMIN}`)}` },
    "unknown key": key(`${ADMIN}x`),
    "expired key": key(expired),
    "revoked key": key(revoked),
    "expired token": await token(tenantId, { exp: 1, perms: everything }),
    "forged token": await token(tenantId, { perms: everything }, "another secret"),
    "nil token": await token("00000000-0000-0000-0000-000000000000", { perms: everything }),
    reader: key(await mint(signer, { readOnly: true })),
    writer: key(await mint(signer)),
    "other agent": key(await mint(colleague)),
    "other store": key(await mint(signer, { storeIds })),
    admin: key(await mint(signer, { admin: true })),
    "admin, other store": key(await mint(signer, { admin: true, storeIds })),
    bootstrap: key(ADMIN),
    "foreign admin": key(await mint(stranger, { admin: true })),
    "token: nothing": await token(tenantId, {}),
    "token: nothing, agent": await token(tenantId, { agent: agentId }),
    "token: read": await token(tenantId, { perms: "read" }),
    "token: write": await token(tenantId, { perms: "write" }),
    "token: admin": await token(tenantId, { perms: "admin" }),
    "token: read, write": await token(tenantId, { perms: "read,write" }),
    "token: read, write, agent": await token(tenantId, { perms: "read,write", agent: agentId }),
    "token: read, write, other agent": await token(tenantId, { perms: "read,write", agent: colleague.agentId }),
    "token: read, write, other store": await token(tenantId, { perms: "read,write", stores: storeIds[0] }),
    "token: read, write, admin": await token(tenantId, { perms: everything }),
    "foreign token: read, write, admin": await token(stranger.tenantId, { perms: everything, agent: agentId }),
  } satisfies Record<Kind, Record<string, string>>;
}

/** Ingests what the routes ingest, and seals it, so that no route finds another stream than the one before it. */
async function sealEverything(signer: Signer): Promise<void> {
  for (const { method, path, body } of routes.filter(({ access }) => access === "ingest")) {
    expect((await call(method, path, { body })).status).toBe(200);
  }
  const range = { tenantId: signer.tenantId, storeId: signer.storeId, sequenceStart: 1, sequenceEnd: 3 };
  expect((await call("POST", "/api/v1/ves/commitments", { body: range })).status).toBe(200);
}

beforeAll(async () => {
  const signer = await newAgent();
  const stored = await event(signer, { entityType: "order", entityId: "o1" });
  await accept(signer, stored);
  credentials = await credentialsFor(signer);
  routes = await everyRoute(signer, textOf(stored, "event_id"));
  await sealEverything(signer);
});

function expected({ access, status }: Route, kind: string): number {
  if ((SERVED[access] as readonly string[]).includes(kind)) return status;
  return (NOBODY as readonly string[]).includes(kind) ? 401 : 403;
}

describe.each(endpoints.map(({ method, path }) => [method, path] as const))("%s %s", (method, template) => {
  it("has one status for each kind of credential", async () => {
    const route = routes.find((candidate) => candidate.method === method && candidate.template === template);
    if (route === undefined) throw new Error("this route has no place in routes.ts yet");
    const statuses: Record<string, number> = {};
    for (const [kind, headers] of Object.entries(credentials)) {
      const given = { key: null, headers, body: route.body, settings: { ...route.settings, ...settings } };
      statuses[kind] = (await call(method, route.path, given)).status;
    }
    expect(statuses).toEqual(Object.fromEntries(Object.keys(credentials).map((kind) => [kind, expected(route, kind)])));
  });
});
