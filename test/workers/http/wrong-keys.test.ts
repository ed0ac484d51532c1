import { listDurableObjectIds } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it, vi } from "vitest";
import { mintApiKey } from "../../../src/access/api-key.ts";
import { call, expectError, mint, newAgent, type Reply, streamQuery, url } from "./harness.ts";

const agent = await newAgent();
const settings = { WRONG_KEY_RATE_LIMIT_PER_MINUTE: "3" };

let clients = 0;
/** An address that nobody has used yet. */
const newAddress = (): string => `2001:db8:${(++clients).toString(16)}::1`;

function head(key: string | null, from: string, change: Readonly<Record<string, unknown>> = settings): Promise<Reply> {
  const path = url("/api/v1/ves/head", streamQuery(agent));
  return call("GET", path, { key, headers: { "cf-connecting-ip": from }, settings: change });
}

const madeUp = (): string => mintApiKey(crypto.randomUUID());

it("keys that do not exist are looked up so often for an address, and then no tenant's registry is woken", async () => {
  const from = newAddress();
  for (let n = 0; n < 3; n++) expectError(await head(madeUp(), from), "INVALID_API_KEY", "Invalid API key");
  const before = await listDurableObjectIds(env.TENANTS);
  for (let n = 0; n < 20; n++) {
    const reply = await head(madeUp(), from);
    expectError(reply, "RATE_LIMIT_EXCEEDED", "An address may try 3 API keys that do not exist in a minute");
    expect(reply.headers.get("ratelimit-limit")).toBe("3");
    expect(reply.headers.get("ratelimit-remaining")).toBe("0");
    expect(Number(reply.headers.get("retry-after"))).toBeGreaterThan(50);
    expect(reply.headers.get("retry-after")).toBe(reply.headers.get("ratelimit-reset"));
  }
  expect(await listDurableObjectIds(env.TENANTS)).toHaveLength(before.length);
  expectError(await head(madeUp(), newAddress()), "INVALID_API_KEY", "Invalid API key");
});

it("a key that exists is not counted, however often it is used and whoever shares its address", async () => {
  const from = newAddress();
  const known = await mint(agent);
  const fresh = await mint(agent);
  // Nothing is remembered: every request looks its key up.
  const uncached = { ...settings, API_KEY_CACHE_TTL_SECS: "0" };
  const replies = await Promise.all(Array.from({ length: 20 }, () => head(known, from, uncached)));
  expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 200));
  for (let n = 0; n < 3; n++) expect((await head(madeUp(), from)).status).toBe(401);
  expect((await head(madeUp(), from)).status).toBe(429);
  expect((await head(known, from, uncached)).status).toBe(200);
  // Only one that this isolate has never seen cannot be told from a made-up one.
  expect((await head(fresh, from)).status).toBe(429);
  expect((await head(fresh, newAddress())).status).toBe(200);
  expect((await head(fresh, from)).status).toBe(200);
});

it("what needs no look-up is not counted: texts of other forms, and the same wrong key again", async () => {
  const from = newAddress();
  const wrong = madeUp();
  for (let n = 0; n < 10; n++) {
    expect((await head("no key", from)).status).toBe(401);
    expect((await head(null, from)).status).toBe(401);
    expect((await head(wrong, from)).status).toBe(401);
  }
  expect((await head(madeUp(), from)).status).toBe(401);
  expect((await head(madeUp(), from)).status).toBe(401);
  expect((await head(madeUp(), from)).status).toBe(429);
  // It is remembered as wrong, which costs nobody anything.
  expect((await head(wrong, from)).status).toBe(401);
});

it("where wrong keys cannot be counted, they are refused as ever", async () => {
  const away = { idFromName: (name: string) => name, get: () => ({ take: () => Promise.reject(new Error("away")) }) };
  const from = newAddress();
  const errors = vi.spyOn(console, "error").mockImplementation(() => undefined);
  for (let n = 0; n < 5; n++) expect((await head(madeUp(), from, { ...settings, LIMITS: away })).status).toBe(401);
  expect(errors.mock.calls.map(([line]) => JSON.parse(String(line)) as object)).toMatchObject(
    Array.from({ length: 5 }, () => ({ message: "a wrong API key could not be counted" })),
  );
  errors.mockRestore();
});

it("counts are kept in sixteen objects, however many the addresses", { timeout: 20_000 }, async () => {
  await Promise.all(Array.from({ length: 40 }, () => head(madeUp(), newAddress())));
  expect((await listDurableObjectIds(env.LIMITS)).length).toBeLessThanOrEqual(16);
});
