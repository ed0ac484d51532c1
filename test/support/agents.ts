import { expect } from "vitest";
import { type Agent, type AgentOptions, createAgent } from "../../agent/src/agent.ts";
import type { EncryptionSettings } from "../../agent/src/encryption-settings.ts";
import type { AgentIdentity } from "../../agent/src/signer.ts";
import { memoryStore } from "../../agent/src/store/memory.ts";
import { generateSeed, type SigningKey, signingKeyFromSeed } from "../../src/ves/index.ts";
import { type ModelSequencer, modelSequencer } from "./model-sequencer.ts";

/** Repeats at once, so that tests of lost answers need no patience. */
export const QUICK = { attempts: 3, firstDelayMs: 1, maxDelayMs: 50 };

export interface TestAgent {
  readonly agent: Agent;
  readonly identity: AgentIdentity;
  readonly key: SigningKey;
}

export interface TestAgentOptions extends Partial<Omit<AgentOptions, "keys">> {
  /** Is registered already. A new one when absent, which is registered. */
  readonly key?: SigningKey;
  readonly encryption?: EncryptionSettings;
}

/** A stream with a sequencer in memory, and agents of it. */
export interface TestStream {
  readonly model: ModelSequencer;
  /** Another agent of the stream, with a registered key and a store in memory unless `options` say otherwise. */
  readonly agent: (options?: TestAgentOptions) => Promise<TestAgent>;
}

export async function testStream(): Promise<TestStream> {
  const stream = { tenantId: crypto.randomUUID(), storeId: crypto.randomUUID() };
  const model = await modelSequencer(stream);
  return {
    model,
    agent: async (options = {}) => {
      const identity = options.identity ?? { ...stream, agentId: crypto.randomUUID(), keyId: 1 };
      const { encryption, ...others } = options;
      const key = options.key ?? (await signingKeyFromSeed(generateSeed()));
      if (options.key === undefined) model.register(identity, key);
      const { transport } = model;
      const keys = { signing: key, ...(encryption === undefined ? {} : { encryption }) };
      const agent = await createAgent({ transport, store: memoryStore(), retry: QUICK, ...others, identity, keys });
      return { agent, identity, key };
    },
  };
}

let orders = 0;

/** An event of a new order. */
export function orderEvent(total = 1) {
  return { entityType: "order", entityId: `o${++orders}`, eventType: "order.created", payload: { total } };
}

/** Records and pushes new orders. @returns their ids */
export async function pushSome({ agent }: TestAgent, count: number): Promise<string[]> {
  const recorded = await Promise.all(Array.from({ length: count }, () => agent.record(orderEvent())));
  expect((await agent.push()).stopped).toBeNull();
  return recorded.map(({ eventId }) => eventId);
}
