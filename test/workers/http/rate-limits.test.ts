import { listDurableObjectIds, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { createApp } from "../../../src/http/app.ts";
import { claimsFor, JWT_SECRET, signToken } from "../../support/tokens.ts";
import {
  ADMIN,
  call,
  type Call,
  event,
  expectError,
  expectNothingStored,
  ingest,
  mint,
  newAgent,
  type Reply,
  streamQuery,
  url,
} from "./harness.ts";

const PER_TENANT = { RATE_LIMIT_PER_MINUTE: "5" };
/** The window of keys' own limits: short enough to be waited for. */
const WINDOW_MS = 2_000;
const SHORT = { RATE_LIMIT_WINDOW_SECONDS: String(WINDOW_MS / 1_000) };

const agent = await newAgent();

const head = (given: Call): Promise<Reply> => call("GET", url("/api/v1/ves/head", streamQuery(agent)), given);

/** @returns the statuses of so many requests that are made at once */
async function statuses(count: number, request: (n: number) => Promise<Reply>): Promise<readonly number[]> {
  const replies = await Promise.all(Array.from({ length: count }, (_, n) => request(n)));
  return replies.map(({ status }) => status);
}

const served = (all: readonly number[]): number => all.filter((status) => status === 200).length;

function standing({ headers }: Reply): readonly (number | null)[] {
  return ["limit", "remaining", "reset"].map((name) => {
    const value = headers.get(`ratelimit-${name}`);
    return value === null ? null : Number(value);
  });
}

/** A tenant of its own, with a key of it. */
async function newTenant(change: { rateLimit?: number } = {}) {
  const signer = await newAgent();
  const key = await mint(signer, change);
  return { signer, key, head: (given: Call) => call("GET", url("/api/v1/ves/head", streamQuery(signer)), given) };
}

describe("without limits", () => {
  it("nothing is counted, and no answer tells of it", async () => {
    const { head: ask, key } = await newTenant();
    const before = await listDurableObjectIds(env.LIMITS);
    const reply = await ask({ key });
    expect(reply.status).toBe(200);
    expect(standing(reply)).toEqual([null, null, null]);
    expect(await listDurableObjectIds(env.LIMITS)).toHaveLength(before.length);
  });
});

describe("keys that a key has minted", () => {
  it("share its limit, those that they mint too; an administrator's do not", { timeout: 20_000 }, async () => {
    const { signer, key, head: ask } = await newTenant({ rateLimit: 6 });
    const child = await mint(signer, {}, key);
    const grandchild = await mint(signer, { rateLimit: 4 }, child);
    expect((await ask({ key: child })).status).toBe(200);
    expect((await ask({ key: grandchild })).status).toBe(200);
    expect((await ask({ key })).status).toBe(200);
    // Five requests so far, the two that minted included: too many for the one, and one is left for the others.
    expect((await ask({ key: grandchild })).status).toBe(429);
    expect((await ask({ key: child })).status).toBe(200);
    for (const used of [key, child]) expect((await ask({ key: used })).status).toBe(429);
    const apart = await mint(signer, { rateLimit: 6 });
    expect((await ask({ key: apart })).status).toBe(200);
  });
});

describe("the limit of a tenant", () => {
  it("holds for all its credentials together, and for no other tenant", async () => {
    const { signer, key, head: ask } = await newTenant();
    const another = await mint(signer, {});
    const token = await signToken(claimsFor(signer.tenantId, { perms: "read" }), { key: JWT_SECRET });
    const settings = { ...PER_TENANT, JWT_SECRET };
    const withToken = { headers: { authorization: `Bearer ${token}` }, key: null, settings };
    for (const [index, given] of [{ key }, { key: another }, withToken, { key }, { key: another }].entries()) {
      const reply = await ask({ settings, ...given });
      expect(reply.status).toBe(200);
      expect(standing(reply).slice(0, 2)).toEqual([5, 4 - index]);
      expect(standing(reply)[2]).toBeGreaterThan(50);
    }
    for (const given of [{ key }, { key: another }, withToken]) {
      const reply = await ask({ settings, ...given });
      expectError(reply, "RATE_LIMIT_EXCEEDED", "All credentials of this tenant together may make 5 requests in 60 s");
      const [limit, remaining, reset] = standing(reply);
      expect([limit, remaining]).toEqual([5, 0]);
      expect(reply.headers.get("retry-after")).toBe(String(reset));
      expect(reset).toBeGreaterThan(50);
      expect(reset).toBeLessThanOrEqual(61);
    }
    const other = await newTenant();
    expect((await other.head({ key: other.key, settings })).status).toBe(200);
  });

  it("is not exceeded by requests that come together, to one isolate or to several", async () => {
    const { key, head: ask } = await newTenant();
    const isolates = [createApp(), createApp(), createApp()];
    const settings = { RATE_LIMIT_PER_MINUTE: "40" };
    const all = await statuses(120, (n) => ask({ key, settings, isolate: isolates[n % 3] as (typeof isolates)[0] }));
    expect(served(all)).toBe(40);
    expect(all.filter((status) => status === 429)).toHaveLength(80);
  });

  it("counts whatever an authenticated caller asks for, and nothing that anybody else does", async () => {
    const { signer, key, head: ask } = await newTenant();
    const given = { key, settings: PER_TENANT };
    expect((await call("GET", "/health", { ...given, key: null })).status).toBe(200);
    expect(standing(await call("GET", "/health", given))).toEqual([null, null, null]);
    expectError(await ask({ ...given, key: `${key.slice(0, -1)}~` }), "INVALID_API_KEY", "Invalid API key");
    const refused = await call("GET", url("/api/v1/ves/head", { tenant_id: "x" }), given);
    expect(standing(refused).slice(0, 2)).toEqual([5, 4]);
    const foreign = await head(given);
    expectError(foreign, "INSUFFICIENT_PERMISSIONS", "Tenant access denied");
    expect(standing(foreign).slice(0, 2)).toEqual([5, 3]);
    const wrongMethod = await call("DELETE", "/api/v1/ves/head", given);
    expect(wrongMethod.status).toBe(405);
    expect(standing(wrongMethod).slice(0, 2)).toEqual([5, 2]);
    expect((await ingest(signer, [await event(signer)], given)).body).toMatchObject({ eventsAccepted: 1 });
    expect(standing(await ask(given)).slice(0, 2)).toEqual([5, 0]);
    expect((await call("DELETE", "/api/v1/ves/head", given)).status).toBe(429);
  });

  it("refuses before anything of the request is read or stored", async () => {
    const { signer, key, head: ask } = await newTenant();
    const given = { key, settings: { RATE_LIMIT_PER_MINUTE: "1" } };
    expect((await ask(given)).status).toBe(200);
    const body = await event(signer);
    expect((await ingest(signer, [body], given)).status).toBe(429);
    expect((await call("POST", "/api/v1/ves/events/ingest", { ...given, raw: "{" })).status).toBe(429);
    await expectNothingStored(signer);
  });

  it("is the bootstrap administrator's too, apart from every tenant's", async () => {
    const isolate = createApp();
    const given = { key: ADMIN, settings: { RATE_LIMIT_PER_MINUTE: "3" }, isolate };
    expect(served(await statuses(10, () => head(given)))).toBe(3);
    expectError(await head(given), "RATE_LIMIT_EXCEEDED", "The bootstrap administrator may make 3 requests in 60 s");
    const { key, head: ask } = await newTenant();
    expect((await ask({ ...given, key })).status).toBe(200);
    const open = { AUTH_MODE: "disabled", ALLOW_AUTH_DISABLED: "true", ...given.settings };
    expect((await head({ ...given, settings: open, key: null })).status).toBe(429);
  });
});

describe("the limit of an API key", () => {
  it("is its own: other keys of its tenant go on", async () => {
    const { signer, key, head: ask } = await newTenant({ rateLimit: 2 });
    const free = await mint(signer, {});
    const replies = [await ask({ key }), await ask({ key }), await ask({ key })];
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 429]);
    expect(replies.map((reply) => standing(reply).slice(0, 2))).toEqual([
      [2, 1],
      [2, 0],
      [2, 0],
    ]);
    expectError(replies[2] as Reply, "RATE_LIMIT_EXCEEDED", "This API key may make 2 requests in 60 s");
    expect(standing(await ask({ key: free }))).toEqual([null, null, null]);
  });

  it("and that of its tenant both hold: the tighter one is told", async () => {
    const { signer, key, head: ask } = await newTenant({ rateLimit: 3 });
    const free = await mint(signer, {});
    const settings = PER_TENANT;
    expect(standing(await ask({ key, settings })).slice(0, 2)).toEqual([3, 2]);
    for (let n = 0; n < 3; n++) expect((await ask({ key: free, settings })).status).toBe(200);
    expect(standing(await ask({ key, settings })).slice(0, 2)).toEqual([5, 0]);
    expectError(await ask({ key, settings }), "RATE_LIMIT_EXCEEDED", /^All credentials of this tenant/);
  });

  it(
    "admits again after the seconds of Retry-After, and two isolates no more than one",
    { timeout: 30_000 },
    async () => {
      const { key, head: ask } = await newTenant({ rateLimit: 50 });
      const isolates = [createApp(), createApp()] as const;
      for (let round = 0; round < 2; round++) {
        const from = Date.now();
        const replies = await Promise.all(
          Array.from({ length: 80 }, (_, n) =>
            ask({ key, settings: SHORT, isolate: n % 2 === 0 ? isolates[0] : isolates[1] }),
          ),
        );
        const windows = 1 + Math.floor((Date.now() - from) / WINDOW_MS);
        const refused = replies.filter(({ status }) => status === 429);
        expect(replies.length - refused.length).toBeLessThanOrEqual(50 * windows);
        expect(refused.length).toBeGreaterThan(0);
        const waits = refused.map(({ headers }) => Number(headers.get("retry-after")));
        // A use is forgotten a sixtieth late at most, and only whole seconds can be told.
        expect(Math.max(...waits)).toBeLessThanOrEqual(WINDOW_MS / 1_000 + 1);
        await scheduler.wait(Math.max(...waits) * 1_000);
        for (const isolate of isolates) expect((await ask({ key, settings: SHORT, isolate })).status).toBe(200);
      }
    },
  );
});

describe("an object that cannot be asked", () => {
  it("lets requests pass and says so, once in a second", async () => {
    const { key, head: ask } = await newTenant();
    const errors = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const away = {
      idFromName: (name: string) => name,
      get: () => ({ grant: () => Promise.reject(new Error("away")) }),
    };
    const given = { key, settings: { RATE_LIMIT_PER_MINUTE: "1", LIMITS: away }, isolate: createApp() };
    const from = Date.now();
    for (let n = 0; n < 5; n++) {
      const reply = await ask(given);
      expect(reply.status).toBe(200);
      expect(standing(reply)).toEqual([null, null, null]);
    }
    const said = errors.mock.calls.map(([message]) => String(message).replace(/tenant\/[^"]+/, "T"));
    expect(said.length).toBeLessThanOrEqual(1 + Math.floor((Date.now() - from) / 1_000));
    expect(JSON.parse(said[0] ?? "")).toMatchObject({
      message: "rate limits could not be asked, and requests pass",
      object: "T",
    });
    errors.mockRestore();
  });
});

describe("what it costs", () => {
  it("is a question for several requests, and none for those that are refused", { timeout: 20_000 }, async () => {
    const { key, head: ask } = await newTenant();
    const questions = vi.fn<() => void>();
    const counting = {
      idFromName: (name: string) => env.LIMITS.idFromName(name),
      get: (id: DurableObjectId) => {
        questions();
        return env.LIMITS.get(id);
      },
    };
    const given = { key, settings: { RATE_LIMIT_PER_MINUTE: "200", LIMITS: counting }, isolate: createApp() };
    let refused = 0;
    for (let n = 0; n < 300; n++) if ((await ask(given)).status === 429) refused++;
    expect(refused).toBeGreaterThanOrEqual(90);
    // In advance it takes 10 at most, 5 % of 200.
    expect(questions.mock.calls.length).toBeLessThan(100);
  });

  it("is nothing on disk", async () => {
    const ids = await listDurableObjectIds(env.LIMITS);
    expect(ids.length).toBeGreaterThan(5);
    for (const id of ids) {
      const tables = await runInDurableObject(env.LIMITS.get(id), (_, state) =>
        state.storage.sql.exec("SELECT name FROM sqlite_schema WHERE name NOT LIKE '\\_cf\\_%' ESCAPE '\\'").toArray(),
      );
      expect(tables).toEqual([]);
    }
  });
});
