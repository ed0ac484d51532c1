import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { generateSeed, toHex } from "../../src/ves/index.ts";
import type { Member } from "./support/agents.ts";
import { environment, type HttpServer, runToEnd, startHttp, type Variables } from "./support/mcp.ts";

const API_KEY = "ss_a-key-that-nobody-is-told";
const TOKEN = "a-token-of-clients-over-http";

/** An agent of a sequencer that does not run. */
const member: Member = {
  identity: {
    tenantId: crypto.randomUUID(),
    storeId: crypto.randomUUID(),
    agentId: crypto.randomUUID(),
    keyId: 1,
  },
  seed: toHex(generateSeed()),
  path: "",
  plan: [],
};
const ENV = environment({ url: "http://127.0.0.1:9", apiKey: API_KEY }, member, {
  STATESET_ALLOWED_EVENT_TYPES: "order.*",
});

describe("a server that cannot work", () => {
  test("says all that is missing, and exits with 2", async () => {
    const { status, said } = await runToEnd({ STATESET_ALLOWED_EVENT_TYPES: "*" });
    expect(status).toBe(2);
    const missing = ["SEQUENCER_URL", "TENANT_ID", "STORE_ID", "AGENT_ID", "AGENT_KEY_ID"];
    for (const name of missing) expect(said).toContain(`STATESET_${name} is not set`);
    expect(said).toContain("VES_PRIVATE_KEY is not set");
    expect(said).toContain("Neither STATESET_API_KEY nor STATESET_BEARER_TOKEN is set");
  });

  test("says all that is wrong but no secret, and exits with 2", async () => {
    const wrong = {
      STATESET_SEQUENCER_URL: "ftp://sequencer.example",
      STATESET_STORE_ID: "shop",
      STATESET_BEARER_TOKEN: "a.b.c",
      STATESET_AGENT_KEY_ID: "-1",
      STATESET_ALLOWED_EVENT_TYPES: "order.*, *.created",
      VES_PRIVATE_KEY: member.seed.slice(32),
      STATESET_MCP_TOKEN: "short-secret",
      STATESET_SEQUENCER_KEYS: `1=${"a".repeat(64)}, ${"b".repeat(64)}`,
    };
    const { status, said } = await runToEnd({ ...ENV, ...wrong });
    expect(status).toBe(2);
    expect(said).toContain("STATESET_SEQUENCER_URL must begin with http:// or https://");
    expect(said).toContain('STATESET_STORE_ID must be the store\'s UUID, not "shop"');
    expect(said).toContain("Only one of STATESET_API_KEY and STATESET_BEARER_TOKEN");
    expect(said).toContain("STATESET_AGENT_KEY_ID must be a whole number");
    expect(said).toContain('STATESET_ALLOWED_EVENT_TYPES has * within "*.created"');
    expect(said).toContain("VES_PRIVATE_KEY must be the Ed25519 seed");
    expect(said).toContain("STATESET_MCP_TOKEN must have at least");
    expect(said).toContain("STATESET_SEQUENCER_KEYS must be VERSION=KEY");
    for (const secret of [API_KEY, wrong.VES_PRIVATE_KEY, "short-secret"]) expect(said).not.toContain(secret);

    const inUrl = await runToEnd({ ...ENV, STATESET_SEQUENCER_URL: `http://a:${API_KEY}@b` });
    expect(inUrl).toMatchObject({ status: 2, said: expect.stringContaining("must have neither a user, a password") });
    expect(inUrl.said).not.toContain(API_KEY);
  });

  test("says why its command line is not understood", async () => {
    const said = async (...args: string[]) => {
      const { status, said: text } = await runToEnd(ENV, ...args);
      return [status, text.split("\n", 1)[0]];
    };
    expect(await said("--http", "--host", "0.0.0.0")).toEqual([
      2,
      "stateset-agent-mcp: STATESET_MCP_TOKEN must be set to serve at 0.0.0.0: others reach it.",
    ]);
    // A proxy in front lets others in, wherever it is that this server listens.
    expect(await said("--http", "--allowed-host", "localhost", "--allowed-host", "shop.example")).toEqual([
      2,
      "stateset-agent-mcp: STATESET_MCP_TOKEN must be set to serve at shop.example: others reach it.",
    ]);
    expect(await said("--port", "1")).toEqual([2, expect.stringContaining("are for --http")]);
    expect(await said("--http", "--port", "x")).toEqual([2, expect.stringContaining("--port must be")]);
    expect(await said("--htp")).toEqual([2, expect.stringContaining("Unknown option")]);
    expect(await said("--help")).toEqual([0, expect.stringContaining("over the Model Context Protocol")]);
  });
});

describe("a server over HTTP", () => {
  let open: HttpServer;
  let guarded: HttpServer;

  beforeAll(async () => {
    [open, guarded] = await Promise.all([startHttp(ENV), startHttp({ ...ENV, STATESET_MCP_TOKEN: TOKEN })]);
  });
  afterAll(() => Promise.all([open?.stop(), guarded?.stop()]));

  const ask = (url: string, headers: Variables, method = "POST"): Promise<{ status: number; text: string }> =>
    new Promise((resolve, reject) => {
      const accept = "application/json, text/event-stream";
      const sent = request(url, {
        agent: false,
        method,
        headers: { accept, "content-type": "application/json", ...headers },
      });
      sent.on("error", reject).on("response", (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
      });
      sent.end(method === "POST" ? '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' : undefined);
    });

  test("answers no page in a browser that was led here", async () => {
    const { port, host } = new URL(open.url);
    const status = async (headers: Variables) => (await ask(open.url, headers)).status;
    for (const evil of ["evil.example", `evil.example:${port}`, `localhost.evil.example:${port}`, "127.0.0.1:1"]) {
      expect(await status({ host: evil }), evil).toBe(403);
    }
    for (const evil of ["https://evil.example", "null", "http://127.0.0.1:1", "file://"]) {
      expect(await status({ origin: evil }), evil).toBe(403);
    }
    // Whoever gets past that is told by the protocol that they have no session.
    for (const headers of [{}, { host: `localhost:${port}` }, { origin: `http://${host}` }]) {
      expect(await status(headers)).toBe(400);
    }
  });

  test("asks for its token where it has one", async () => {
    const status = async (authorization?: string) =>
      (await ask(guarded.url, authorization === undefined ? {} : { authorization })).status;
    expect(await status()).toBe(401);
    expect(await status(`Bearer ${TOKEN}x`)).toBe(401);
    expect(await status(`Bearer ${TOKEN}`)).toBe(400);
    const client = await guarded.connect({ authorization: `Bearer ${TOKEN}` });
    expect((await client.listTools()).tools).toHaveLength(8);
    await expect(guarded.connect()).rejects.toThrow("bearer token");
    expect(guarded.noise()).toBe("");
  });

  test("knows its sessions, its path and its methods, and takes bodies of a bounded size", async () => {
    expect((await ask(open.url, { "mcp-session-id": crypto.randomUUID() })).status).toBe(404);
    expect((await ask(open.url.replace("/mcp", "/"), {})).status).toBe(404);
    expect((await ask(open.url, {}, "GET")).status).toBe(400);
    expect((await ask(open.url, { "content-length": "5000000" })).status).toBe(413);
  });

  test("forgets the session that was idle for longest when there are too many", async () => {
    const busy = await open.connect();
    const params = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "test", version: "1" } };
    const initialize = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params });
    const begin = async (): Promise<string> => {
      const headers = { accept: "application/json, text/event-stream", "content-type": "application/json" };
      const response = await fetch(open.url, { method: "POST", headers, body: initialize });
      await response.text();
      return response.headers.get("mcp-session-id") ?? "";
    };
    const list = async (id: string) => (await ask(open.url, { "mcp-session-id": id })).status;
    const first = await begin();
    expect(await list(first)).toBe(200);
    for (let i = 0; i < 256; i++) await begin();
    expect(await list(first)).toBe(404);
    expect((await busy.listTools()).tools).toHaveLength(8);
    expect(open.noise()).toBe("");
  });
});
