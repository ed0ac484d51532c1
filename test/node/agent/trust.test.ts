import { describe, expect, test, vi } from "vitest";
import { agentOf } from "../../../agent/src/agent.ts";
import type { Context } from "../../../agent/src/context.ts";
import { createContext } from "../../../agent/src/create-context.ts";
import { memoryStore } from "../../../agent/src/store/memory.ts";
import type { Transport } from "../../../agent/src/transport.ts";
import { generateSeed, type JsonObject } from "../../../src/ves/index.ts";
import { pushSome, QUICK, type TestAgentOptions, testStream } from "../../support/agents.ts";

/** An agent whose requests wait until `answer` is called. */
async function heldAgent() {
  const { model, agent: newAgent } = await testStream();
  const { identity } = await newAgent();
  const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
  const send: Transport["send"] = async (request) => {
    const { promise: ended, reject } = Promise.withResolvers<never>();
    request.signal.addEventListener("abort", () => reject(request.signal.reason as Error));
    await Promise.race([answered, ended]);
    return model.transport.send(request);
  };
  const keys = { signing: generateSeed() };
  const context = await createContext({ transport: { send }, identity, keys, store: memoryStore(), retry: QUICK });
  return { model, context, answer };
}

const reads: [string, (context: Context, signal?: AbortSignal) => Promise<unknown>][] = [
  ["an agent's directory", ({ trust, identity }, signal) => trust.directory(identity.agentId, false, signal)],
  ["the sequencer's keys", ({ trust }, signal) => trust.sequencerKey(1, signal)],
];

describe.each(reads)("%s that two wait for", (_what, read) => {
  test("comes for the second when the first is cancelled", async () => {
    const { model, context, answer } = await heldAgent();
    const first = new AbortController();
    const [cancelled, waiting] = [read(context, first.signal), read(context, new AbortController().signal)];
    first.abort();
    await expect(cancelled).rejects.toMatchObject({ code: "ABORTED" });
    await expect(read(context, first.signal)).rejects.toMatchObject({ code: "ABORTED" });
    answer();
    expect(await waiting).toBeDefined();
    expect(model.requests.filter((request) => request.endsWith("/sequencer/keys"))).toHaveLength(1);
  });

  test("ends for both when the agent is closed", async () => {
    const { context } = await heldAgent();
    const waiting = [read(context), read(context)];
    await agentOf(context).close();
    for (const one of waiting) await expect(one).rejects.toMatchObject({ code: "ABORTED" });
  });
});

describe("a directory that is in the store", () => {
  const stateKey = (agentId: string): string => `key_directory:${agentId}`;

  /** What an agent of another process asks for, and keeps aside, after a change of what the first one has stored. */
  async function pullAgain(
    change: (kept: { directory: JsonObject; readAt: number }) => unknown,
    options: TestAgentOptions = {},
  ) {
    const { model, agent: newAgent } = await testStream();
    const store = memoryStore();
    const author = await newAgent();
    const { agent: first, identity } = await newAgent({ store });
    await pushSome(author, 1);
    await first.pull();
    store.transaction(identity, (tables) => {
      const kept = JSON.parse(tables.state(stateKey(author.identity.agentId)) ?? "");
      tables.setState(stateKey(author.identity.agentId), JSON.stringify(change(kept)));
    });
    await pushSome(author, 1);
    model.requests.length = 0;
    const { agent } = await newAgent({ store, ...options });
    const { pulled, quarantined } = await agent.pull();
    const asked = model.requests.filter((request) => request.endsWith("/signing-keys")).length;
    return { pulled, quarantined, asked };
  }

  test("serves another process", async () => {
    expect(await pullAgain((kept) => kept)).toEqual({ pulled: 1, quarantined: 0, asked: 0 });
  });

  const another = { keyId: 1, publicKey: "11".repeat(32) };
  test.each<[string, Parameters<typeof pullAgain>[0]]>([
    ["was changed", ({ directory, readAt }) => ({ directory: { ...directory, keys: [another] }, readAt })],
    ["is none", ({ readAt }) => ({ directory: null, readAt })],
    ["is said to be read later than it was", (kept) => ({ ...kept, readAt: kept.readAt + 60_000 })],
  ])("is read again when it %s", async (_what, change) => {
    expect(await pullAgain(change)).toEqual({ pulled: 1, quarantined: 0, asked: 1 });
  });

  test("is read again when it was signed long before it is said to have been read", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      const replayed = pullAgain((kept) => {
        vi.setSystemTime(kept.readAt + 5 * 60_000 + 2_000);
        return { ...kept, readAt: kept.readAt + 5 * 60_000 + 1_000 };
      });
      expect(await replayed).toEqual({ pulled: 1, quarantined: 0, asked: 1 });
    } finally {
      vi.useRealTimers();
    }
  });

  test("is not believed by who believes another key of the sequencer", async () => {
    const pulling = pullAgain((kept) => kept, { trust: { sequencerKeys: { 1: "11".repeat(32) } } });
    await expect(pulling).rejects.toMatchObject({ code: "INVALID_DIRECTORY" });
  });
});
