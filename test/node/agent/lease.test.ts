import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type ContextOptions, createContext } from "../../../agent/src/create-context.ts";
import { withPushLease } from "../../../agent/src/lease.ts";
import { memoryStore } from "../../../agent/src/store/memory.ts";
import type { AgentStore } from "../../../agent/src/store/store.ts";
import { generateSeed } from "../../../src/ves/index.ts";

const [tenantId, storeId, agentId] = [crypto.randomUUID(), crypto.randomUUID(), crypto.randomUUID()];
const transport = { send: () => Promise.reject(new Error("cut")) };
const options: Omit<ContextOptions, "store"> = {
  transport,
  identity: { tenantId, storeId, agentId, keyId: 1 },
  keys: { signing: generateSeed() },
  leaseMs: 3_000,
};

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test.each([
  [600_000, undefined],
  [600_001, "done"],
])("a lease that ends %i ms from now, where 600,000 are the most that there can be", async (ms, expected) => {
  const store = memoryStore();
  const context = await createContext({ ...options, store });
  const lease = JSON.stringify({ holder: "other", until: Date.now() + ms });
  store.transaction(context.identity, (tables) => tables.setState(`push_lease:${agentId}`, lease));
  expect(await withPushLease(context, () => Promise.resolve("done"))).toBe(expected);
});

test("a store that is locked while the lease is renewed or given back harms nobody, and the lease runs out", async () => {
  const memory = memoryStore();
  let isLocked = false;
  const store: AgentStore = {
    ...memory,
    transaction: (stream, body) => {
      if (isLocked) throw new Error("database is locked");
      return memory.transaction(stream, body);
    },
  };
  const [context, other] = [
    await createContext({ ...options, store }),
    await createContext({ ...options, store: memory }),
  ];
  const work = withPushLease(context, async () => {
    isLocked = true;
    vi.advanceTimersByTime(2_500);
    expect(await withPushLease(other, () => Promise.resolve("other"))).toBeUndefined();
    return "done";
  });
  expect(await work).toBe("done");
  expect(await withPushLease(other, () => Promise.resolve("other"))).toBeUndefined();
  vi.advanceTimersByTime(600);
  expect(await withPushLease(other, () => Promise.resolve("other"))).toBe("other");
});
