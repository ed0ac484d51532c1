import { describe, expect, test } from "vitest";
import { agentOf } from "../../../agent/src/agent.ts";
import type { Context } from "../../../agent/src/context.ts";
import { createContext } from "../../../agent/src/create-context.ts";
import { memoryStore } from "../../../agent/src/store/memory.ts";
import type { Transport } from "../../../agent/src/transport.ts";
import { generateSeed } from "../../../src/ves/index.ts";
import { QUICK, testStream } from "../../support/agents.ts";

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
