import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Agent, createAgent, httpTransport, memoryStore, type Watched } from "../../agent/src/index.ts";
import { openSqliteStore } from "../../agent/src/sqlite.ts";
import { call, push, registerKey, type Server } from "../../scripts/lib/client.ts";
import { newSigner, type Signer, signEvent } from "../../scripts/lib/signer.ts";
import { generateSeed } from "../../src/ves/index.ts";
import { startHttpProxy } from "../support/http-proxy.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import {
  bundleFile,
  removeTempDirs,
  type ServerProcess,
  startServer,
  tempDir,
  waitUntil,
} from "./support/processes.ts";

/** Batches seal often, so that everything that happens happens around them too. */
const variables = { SEAL_MAX_EVENTS: "20", SEAL_MAX_AGE_MS: "200", API_KEY_CACHE_TTL_SECS: "1" };
const BACKLOG = 2_500;

let bundle: string;
let data: string;
let server: ServerProcess;
const agents: Agent[] = [];

beforeAll(async () => {
  bundle = await bundleFile();
  data = tempDir();
  server = await startServer(bundle, data, { variables });
});
afterEach(async () => {
  await Promise.all(agents.splice(0).map((agent) => agent.close()));
});
afterAll(async () => {
  await server.kill();
  removeTempDirs();
});

async function newStream(): Promise<Signer> {
  const signer = await newSigner(crypto.randomUUID(), crypto.randomUUID());
  await registerKey(server, signer);
  return signer;
}

async function write(signer: Signer, count: number): Promise<void> {
  const fact = (n: number) => ({ entityType: "thing", entityId: `${n}`, eventType: "thing.changed", payload: { n } });
  const events = await Promise.all(Array.from({ length: count }, (_, n) => signEvent(signer, fact(n))));
  await push(server, signer.agentId, events);
}

/** An agent that watches a stream from its first event on, over this URL. */
async function watcher({ tenantId, storeId }: Signer, { url, apiKey }: Server, isOnDisk = false) {
  const watched: Watched[] = [];
  const state: { opened: number; error: unknown } = { opened: 0, error: undefined };
  class CountedWebSocket extends WebSocket {
    constructor(address: string, protocols: string[]) {
      super(address, protocols);
      this.addEventListener("open", () => state.opened++);
    }
  }
  const identity = { tenantId, storeId, agentId: crypto.randomUUID(), keyId: 1 };
  const agent = await createAgent({
    transport: httpTransport({ url, credential: apiKey, WebSocket: CountedWebSocket }),
    identity,
    keys: { signing: generateSeed() },
    store: isOnDisk ? openSqliteStore(join(tempDir(), "agent.db")) : memoryStore(),
    retry: { attempts: 3, firstDelayMs: 50, maxDelayMs: 500 },
  });
  agents.push(agent);
  const run = async (): Promise<void> => {
    for await (const one of agent.watch({ from: 1 })) watched.push(one);
  };
  run().catch((error: unknown) => (state.error = error));
  return {
    state,
    watched,
    numbers: () => watched.flatMap((one) => (one.kind === "event" ? [one.event.sequenceNumber] : [])),
    /** Up to where it is proven. */
    proven: () => Math.max(0, ...watched.map((one) => (one.kind === "batch" ? one.batch.sequenceEnd : 0))),
  };
}

/** Every batch comes right where the last of its events was told, and nothing of the log is in no batch. */
function expectSound(watched: readonly Watched[], head: number): void {
  let [sequence, proven] = [0, 0];
  for (const one of watched) {
    if (one.kind === "event") expect(one.event.sequenceNumber).toBe(++sequence);
    else if (one.kind === "batch") {
      expect(one.batch.sequenceStart).toBe(proven + 1);
      proven = one.batch.sequenceEnd;
      expect(proven).toBeLessThanOrEqual(sequence);
    }
  }
  expect([sequence, proven]).toEqual([head, head]);
}

describe("watching a real sequencer", () => {
  test("tells everything once and in order when the server is killed and comes back", async () => {
    const proxy = await startTcpProxy(server.url);
    try {
      const signer = await newStream();
      await write(signer, 10);
      const { watched, numbers, proven, state } = await watcher(signer, { ...server, url: proxy.url }, true);
      await waitUntil(() => state.opened === 1, 10_000, "a socket is open");
      for (let n = 0; n < 5; n++) await write(signer, 7);
      await waitUntil(() => numbers().length > 20, 10_000, "events come");
      await server.kill();
      server = await startServer(bundle, data, { variables });
      proxy.target = server.url;
      for (let n = 0; n < 5; n++) await write(signer, 7);
      await waitUntil(() => proven() === 80, 30_000, "everything came and is proven");
      await waitUntil(() => state.opened > 1, 15_000, "a socket is open again");
      expectSound(watched, 80);
      expect(state.error).toBeUndefined();
    } finally {
      await proxy.close();
    }
  });

  test("tells it over long polls where upgrades are refused", async () => {
    const proxy = await startHttpProxy(server.url);
    try {
      const signer = await newStream();
      await write(signer, 3);
      const { watched, numbers, proven, state } = await watcher(signer, { ...server, url: proxy.url });
      await waitUntil(() => numbers().length === 3, 10_000, "what is there comes");
      for (let head = 8; head <= 23; head += 5) {
        await write(signer, 5);
        await waitUntil(() => numbers().length === head, 5_000, "more comes");
      }
      await waitUntil(() => proven() === 23, 15_000, "everything is proven");
      expectSound(watched, 23);
      expect(state).toMatchObject({ opened: 0, error: undefined });
    } finally {
      await proxy.close();
    }
  });

  test("tells it though connections are cut again and again", async () => {
    const proxy = await startTcpProxy(server.url);
    const cutting = new AbortController();
    const cut = async (): Promise<void> => {
      for (; !cutting.signal.aborted; await sleep(100 + Math.random() * 300)) proxy.cut();
    };
    try {
      const signer = await newStream();
      await write(signer, 1);
      const { watched, proven, state } = await watcher(signer, { ...server, url: proxy.url }, true);
      await waitUntil(() => state.opened === 1, 10_000, "a socket is open");
      const end = cut();
      for (let n = 0; n < 30; n++) {
        await write(signer, 3);
        await sleep(100);
      }
      cutting.abort();
      await end;
      await waitUntil(() => proven() === 91, 30_000, "everything came and is proven");
      await waitUntil(() => state.opened > 1, 15_000, "a socket is open again");
      expectSound(watched, 91);
      expect(state.error).toBeUndefined();
    } finally {
      cutting.abort();
      await proxy.close();
    }
  });

  test("ends with a typed error when the credential is revoked", async () => {
    const signer = await newStream();
    await write(signer, 2);
    const keys = `/api/v1/agents/${signer.agentId}/api-keys`;
    const { tenantId } = signer;
    const minted = await call<{ apiKey: string; keyHashPrefix: string }>(server, "POST", keys, { tenantId });
    const { numbers, state } = await watcher(signer, { url: server.url, apiKey: minted.apiKey });
    await waitUntil(() => state.opened === 1 && numbers().length === 2, 10_000, "it watches");
    await call(server, "DELETE", `${keys}/${minted.keyHashPrefix}?tenant_id=${tenantId}`);
    await sleep(1_100);
    await write(signer, 1);
    await waitUntil(() => state.error !== undefined, 10_000, "it has ended");
    expect(state.error).toMatchObject({ name: "AgentError", code: "UNAUTHORIZED" });
    expect(numbers()).toEqual([1, 2]);
  });

  test(`begins with a backlog of ${BACKLOG} events, and goes on with what comes`, async () => {
    const signer = await newStream();
    for (let n = 0; n < BACKLOG; n += 500) await write(signer, 500);
    const { watched, numbers, proven } = await watcher(signer, server, true);
    await waitUntil(() => numbers().length === BACKLOG, 30_000, "the backlog comes");
    await write(signer, 5);
    await waitUntil(() => proven() === BACKLOG + 5, 20_000, "everything came and is proven");
    expectSound(watched, BACKLOG + 5);
  });
});
