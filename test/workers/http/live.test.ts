import { createExecutionContext, evictDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { Signer } from "../../../scripts/lib/signer.ts";
import { apiKeyHash } from "../../../src/access/api-key.ts";
import { createApp } from "../../../src/http/app.ts";
import { TenantRegistry } from "../../../src/tenant/tenant-registry.ts";
import { LiveClient } from "../../support/live-client.ts";
import { claimsFor, JWT_SECRET, signToken } from "../../support/tokens.ts";
import { fireAlarm, later, liveUrl, pageHeaders, push, type Query, stubOf, subscribe } from "../objects/subscribers.ts";
import { ADMIN, call, expectError, mint, newAgent, ORIGIN, streamQuery, url } from "./harness.ts";

const SHOP = "https://shop.example.com";
/** More than an API key's standing is remembered for. */
const MORE_THAN_TTL_MS = 16_000;

let signer: Signer;
const app = createApp();

beforeAll(async () => {
  signer = await newAgent();
  await push(signer, 2);
});

afterEach(() => vi.restoreAllMocks());

const key = (text: string) => ({ authorization: `ApiKey ${text}` });

/** Asks a deployment with these settings for a subscription, with these headers alone beside that of the upgrade. */
async function upgrade(
  headers: Readonly<Record<string, string>>,
  { query = {}, settings = {} }: { readonly query?: Query; readonly settings?: Readonly<Record<string, unknown>> } = {},
): Promise<Response> {
  const request = new Request(ORIGIN + liveUrl(signer, query), { headers: { upgrade: "websocket", ...headers } });
  return app.fetch(request, { ...env, JWT_SECRET, ...settings }, createExecutionContext());
}

async function open(...given: Parameters<typeof upgrade>): Promise<LiveClient> {
  const { status, webSocket } = await upgrade(...given);
  expect(status).toBe(101);
  if (webSocket === null) throw new Error("there is no socket");
  const client = new LiveClient(webSocket);
  webSocket.accept();
  return client;
}

async function codeOf(response: Response): Promise<readonly [status: number, code: string]> {
  return [response.status, (await response.json<{ code: string }>()).code];
}

describe("who may subscribe", () => {
  it("shows it by a header, or among the subprotocols, which are answered without it", async () => {
    const minted = await mint(signer);
    const token = await signToken(claimsFor(signer.tenantId, { perms: "read" }));
    const given = [key(minted), { "x-api-key": minted }, { authorization: `Bearer ${token}` }];
    for (const headers of [...given, ...[minted, token, ADMIN].map((text) => pageHeaders(text, ORIGIN))]) {
      const response = await upgrade(headers);
      expect(response.status).toBe(101);
      expect(response.headers.get("sec-websocket-protocol")).toBe(
        "sec-websocket-protocol" in headers ? "ves.v1" : null,
      );
      expect(response.headers.get("x-request-id")).not.toBeNull();
      response.webSocket?.accept();
      response.webSocket?.close();
    }
  });

  it("is nobody else", async () => {
    const other = await mint(signer, { storeIds: [crypto.randomUUID()] });
    const foreign = await mint({ tenantId: crypto.randomUUID(), agentId: signer.agentId }, { admin: true });
    const writer = await signToken(claimsFor(signer.tenantId, { perms: "write" }));
    const ended = await signToken(claimsFor(signer.tenantId, { perms: "read", exp: 1 }));
    const expected: readonly (readonly [Record<string, string>, readonly [number, string]])[] = [
      [{}, [401, "AUTH_REQUIRED"]],
      [{ "sec-websocket-protocol": "ves.v1" }, [401, "AUTH_REQUIRED"]],
      [{ "sec-websocket-protocol": "ves.v1, ves.key.a" }, [401, "AUTH_REQUIRED"]],
      [pageHeaders(`${ADMIN}x`, ORIGIN), [401, "INVALID_API_KEY"]],
      [pageHeaders(ended, ORIGIN), [401, "TOKEN_EXPIRED"]],
      [pageHeaders(other, ORIGIN), [403, "INSUFFICIENT_PERMISSIONS"]],
      [pageHeaders(foreign, ORIGIN), [403, "INSUFFICIENT_PERMISSIONS"]],
      [pageHeaders(writer, ORIGIN), [403, "INSUFFICIENT_PERMISSIONS"]],
    ];
    for (const [headers, error] of expected) expect(await codeOf(await upgrade(headers))).toEqual(error);
    // Only a WebSocket brings its credential in this way.
    const { "sec-websocket-protocol": protocol = "" } = pageHeaders(ADMIN, ORIGIN);
    const read = await call("GET", "/health/detailed", { key: null, headers: { "sec-websocket-protocol": protocol } });
    expectError(read, "AUTH_REQUIRED", /^Authentication required/);
  });

  it("is a page of the server's own origin, or of those that CORS is set for", async () => {
    const refused = { origin: SHOP, ...key(ADMIN) };
    expect(await codeOf(await upgrade(refused))).toEqual([403, "INSUFFICIENT_PERMISSIONS"]);
    for (const CORS_ALLOW_ORIGINS of [SHOP, "*", `http://localhost:3000, ${SHOP}`]) {
      const client = await open(pageHeaders(ADMIN, SHOP), { settings: { CORS_ALLOW_ORIGINS } });
      await client.until(() => client.sequence === 2);
      client.socket.close();
      const other = pageHeaders(ADMIN, "https://evil.example.com");
      const { status, webSocket } = await upgrade(other, { settings: { CORS_ALLOW_ORIGINS } });
      expect(status).toBe(CORS_ALLOW_ORIGINS === "*" ? 101 : 403);
      // Else the object could not leave memory in the tests below.
      webSocket?.accept();
      webSocket?.close();
    }
  });
});

describe("the limits of requests", () => {
  it("hold for subscriptions too, each of which is one request however much it brings", async () => {
    const headers = key(await mint(signer, { rateLimit: 2 }));
    const standing = (response: Response): readonly unknown[] =>
      ["limit", "remaining"].map((name) => response.headers.get(`ratelimit-${name}`));
    const responses = [await upgrade(headers), await upgrade(headers), await upgrade(headers)];
    expect(responses.map(standing)).toEqual([
      ["2", "1"],
      ["2", "0"],
      ["2", "0"],
    ]);
    expect(responses.map(({ status }) => status)).toEqual([101, 101, 429]);
    const [first, second] = responses.map(({ webSocket }) => webSocket);
    if (first == null || second == null) throw new Error("there is no socket");
    const clients = [first, second].map((socket) => new LiveClient(socket));
    for (const socket of [first, second]) socket.accept();
    const { body } = await call<{ head_sequence: number }>("GET", url("/api/v1/ves/head", streamQuery(signer)));
    await push(signer, 1);
    await push(signer, 1);
    for (const client of clients) {
      await client.until(() => client.sequence === body.head_sequence + 2);
      client.socket.close();
    }
  });
});

describe("what is asked", () => {
  it("without an upgrade is answered with 426, and says what to do", async () => {
    const reply = await call("GET", liveUrl(signer));
    expectError(reply, "UPGRADE_REQUIRED", "This is a WebSocket: send Upgrade: websocket");
    expect(reply.headers.get("upgrade")).toBe("websocket");
  });

  it.each<[Query]>([
    [{ from: "x" }],
    [{ from: -1 }],
    [{ from: 3, proven: 3 }],
    [{ proven: 1 }],
    [{ agent_id: "me" }],
    [{ entity_type: "" }],
    [{ event_type: "t".repeat(257) }],
  ])("%j is answered with 400", async (query) => {
    expect((await upgrade(key(ADMIN), { query })).status).toBe(400);
  });

  it("with other subprotocols than ours is answered with 400", async () => {
    const headers = { ...key(ADMIN), "sec-websocket-protocol": "graphql-ws" };
    expect(await codeOf(await upgrade(headers))).toEqual([400, "INVALID_FIELD_VALUE"]);
  });

  it("of a stream that has not begun is answered with 404, and does not make its object", async () => {
    const unknown = { tenantId: signer.tenantId, storeId: crypto.randomUUID() };
    const request = new Request(ORIGIN + liveUrl(unknown), { headers: { upgrade: "websocket", ...key(ADMIN) } });
    const response = await app.fetch(request, env, createExecutionContext());
    expect(await codeOf(response)).toEqual([404, "RESOURCE_NOT_FOUND"]);
  });
});

describe("a credential that ends", () => {
  async function revoke(text: string): Promise<void> {
    const path = `/api/v1/agents/${signer.agentId}/api-keys/${apiKeyHash(text).slice(0, 16)}`;
    expect((await call("DELETE", `${path}?tenant_id=${signer.tenantId}`)).status).toBe(200);
  }

  it("by revocation ends its subscription before anything is sent that other reads would refuse", async () => {
    const [revoked, kept] = [await mint(signer), await mint(signer)];
    const clients = await Promise.all([revoked, kept].map((text) => subscribe(signer, { from: 3 }, { key: text })));
    const [victim, other] = clients;
    const head = (await subscribeToHead()) + 1;
    await revoke(revoked);
    await later(MORE_THAN_TTL_MS, async () => {
      await push(signer, 1);
      expect(await victim?.untilClosed()).toEqual({
        code: 4401,
        reason: "the credential has expired or was revoked",
      });
      await other?.until(() => other.sequence === head);
    });
    expect(victim?.numbers).not.toContain(head);
    expect(other?.numbers).toContain(head);
    other?.socket.close();
  });

  it("by revocation ends a subscription that nothing happens to, by the alarm", async () => {
    const text = await mint(signer);
    const client = await subscribe(signer, {}, { key: text });
    await revoke(text);
    await evictDurableObject(stubOf(signer));
    await fireAlarm(signer);
    expect(await client.untilClosed()).toMatchObject({ code: 4401 });
  });

  it("by time ends its subscription then, by the alarm", async () => {
    const expiresAt = Date.now() + 60_000;
    const byKey = await subscribe(
      signer,
      {},
      { key: await mint(signer, { expiresAt: new Date(expiresAt).toISOString() }) },
    );
    const exp = Math.floor(expiresAt / 1_000);
    const byToken = await open({
      authorization: `Bearer ${await signToken(claimsFor(signer.tenantId, { perms: "read", exp }))}`,
    });
    const forever = await subscribe(signer);
    for (const client of [byKey, byToken, forever]) await client.until(() => client.sequence > 0);
    await later(30_000, () => fireAlarm(signer));
    await scheduler.wait(100);
    expect([byKey.closed, byToken.closed]).toEqual([null, null]);
    // Tokens are honoured for a minute more, as everywhere.
    await later(61_000, async () => {
      await fireAlarm(signer);
      expect(await byKey.untilClosed()).toMatchObject({ code: 4401 });
    });
    expect(byToken.closed).toBeNull();
    await later(121_000, async () => {
      await fireAlarm(signer);
      expect(await byToken.untilClosed()).toMatchObject({ code: 4401 });
    });
    expect(forever.closed).toBeNull();
    forever.socket.close();
  });

  it("is not known to stand while its registry is away: nothing is sent until that answers", async () => {
    const client = await subscribe(signer, { from: 1_000 }, { key: await mint(signer) });
    const reader = await subscribe(signer, {}, { key: await mint(signer) });
    await reader.until(() => reader.sequence > 0);
    const away = vi.spyOn(TenantRegistry.prototype, "apiKey").mockRejectedValue(new Error("the registry is away"));
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    const before = reader.sequence;
    await later(MORE_THAN_TTL_MS, async () => {
      await push(signer, 1);
      await vi.waitFor(() => expect(away).toHaveBeenCalled());
      await scheduler.wait(100);
      expect([reader.sequence, reader.closed, client.closed]).toEqual([before, null, null]);
      away.mockRestore();
      await fireAlarm(signer);
      await reader.until(() => reader.sequence === before + 1);
    });
  });

  async function subscribeToHead(): Promise<number> {
    const client = await subscribe(signer);
    const [hello] = client.messages;
    await client.until(() => client.messages.length > 1);
    client.socket.close();
    return hello?.type === "subscribed" ? hello.head_sequence : client.sequence;
  }
});
