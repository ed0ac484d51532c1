import { describe, expect, test } from "vitest";
import * as registry from "../../src/tenant/registry.ts";
import { changeAt } from "../support/audit.ts";
import { uuid } from "../support/checked-events.ts";
import { nodeStore } from "../support/node-store.ts";

const AGENT = uuid(3, 1);

let keysMade = 0;

function registration(keyId: number | null, agentId = AGENT) {
  const publicKey = new Uint8Array(32);
  new DataView(publicKey.buffer).setUint32(0, ++keysMade);
  return { agentId, keyId, publicKey, validFrom: null, validTo: null };
}

describe("agent keys", () => {
  test("get the next free id, and an id is given once", () => {
    const store = nodeStore();
    expect(registry.registerKey(store, registration(null), changeAt(1))).toEqual({ kind: "registered", keyId: 1 });
    expect(registry.registerKey(store, registration(7), changeAt(1))).toEqual({ kind: "registered", keyId: 7 });
    expect(registry.registerKey(store, registration(null), changeAt(1))).toEqual({ kind: "registered", keyId: 8 });
    expect(registry.registerKey(store, registration(7), changeAt(1))).toEqual({ kind: "key_exists", keyId: 7 });
    expect(registry.registerKey(store, registration(registry.MAX_KEY_ID), changeAt(1)).kind).toBe("registered");
    expect(registry.registerKey(store, registration(null), changeAt(1))).toEqual({ kind: "registered", keyId: 2 });
    expect(registry.agentKeys(store, AGENT).map(({ keyId }) => keyId)).toEqual([1, 2, 7, 8, registry.MAX_KEY_ID]);
  });

  test("are not registered twice under ids that nobody chose, unless revoked", () => {
    const store = nodeStore();
    const key = registration(null);
    expect(registry.registerKey(store, key, changeAt(1))).toEqual({ kind: "registered", keyId: 1 });
    expect(registry.registerKey(store, key, changeAt(2))).toEqual({ kind: "key_exists", keyId: 1 });
    expect(registry.registerKey(store, { ...key, keyId: 5 }, changeAt(2))).toEqual({ kind: "registered", keyId: 5 });
    registry.revokeKey(store, AGENT, 1, changeAt(3));
    registry.revokeKey(store, AGENT, 5, changeAt(3));
    expect(registry.registerKey(store, key, changeAt(4))).toEqual({ kind: "registered", keyId: 6 });
  });

  test("are bounded for each agent", () => {
    const store = nodeStore();
    for (let n = 0; n < registry.MAX_KEYS_PER_AGENT; n++) registry.registerKey(store, registration(null), changeAt(1));
    const limit = registry.MAX_KEYS_PER_AGENT;
    expect(registry.registerKey(store, registration(null), changeAt(1))).toEqual({ kind: "too_many_keys", limit });
    expect(registry.registerKey(store, registration(null, uuid(3, 2)), changeAt(1)).kind).toBe("registered");
  }, 20_000);

  test("are revoked once, and every change of what may be accepted raises the version", () => {
    const store = nodeStore();
    const versions = [registry.registryVersion(store)];
    const step = (change: () => unknown): void => {
      change();
      versions.push(registry.registryVersion(store));
    };
    step(() => registry.registerKey(store, registration(null), changeAt(1)));
    step(() => expect(registry.revokeKey(store, AGENT, 1, changeAt(50))?.revokedAt).toBe(50));
    step(() => expect(registry.revokeKey(store, AGENT, 1, changeAt(90))?.revokedAt).toBe(50));
    step(() => expect(registry.revokeKey(store, AGENT, 2, changeAt(90))).toBeNull());
    const policy = {
      allowedEventTypes: ["*"],
      allowedEntityTypes: [],
      requireBaseVersion: true,
      maxPayloadBytes: null,
    };
    step(() => registry.putAgentPolicy(store, AGENT, { ...policy, enabled: true }, changeAt(100)));
    step(() => registry.addStore(store, uuid(4, 1), 100));
    expect(versions).toEqual([0, 1, 2, 2, 2, 3, 3]);
    expect(registry.agentSnapshot(store, AGENT)).toMatchObject({
      version: 3,
      keys: [{ keyId: 1, revokedAt: 50 }],
      policy: { ...policy, enabled: true },
    });
  });
});

const revocation = (prefix: string) => ({ agentId: AGENT, prefix, reach: null });

describe("API keys", () => {
  const key = (byte: string, agentId = AGENT) => ({
    keyHash: byte.repeat(32),
    agentId,
    storeIds: [uuid(4, 1)],
    permissions: { read: true, write: false, admin: false },
    rateLimit: null,
    limitKeyHash: null,
    expiresAt: 500,
  });

  test("are found by hash, and revoked by the beginning of it if that is one agent's one key", () => {
    const store = nodeStore();
    registry.addApiKey(store, key("ab"), changeAt(10));
    registry.addApiKey(store, key("ac"), changeAt(20));
    registry.addApiKey(store, key("ff", uuid(3, 2)), changeAt(30));
    const stored = { ...key("ab"), createdAt: 10, revokedAt: null };
    expect(registry.findApiKey(store, stored.keyHash)).toEqual(stored);
    expect(registry.findApiKey(store, "00".repeat(32))).toBeNull();
    expect(registry.apiKeysOf(store, AGENT).map(({ keyHash }) => keyHash.slice(0, 2))).toEqual(["ab", "ac"]);

    expect(registry.revokeApiKey(store, revocation("a"), changeAt(40))).toEqual({ kind: "ambiguous" });
    expect(registry.revokeApiKey(store, revocation("ff"), changeAt(40))).toEqual({ kind: "not_found" });
    expect(registry.revokeApiKey(store, revocation("ab"), changeAt(40))).toEqual({
      kind: "revoked",
      key: { ...stored, revokedAt: 40 },
    });
    expect(registry.revokeApiKey(store, revocation("ab"), changeAt(90))).toEqual({
      kind: "revoked",
      key: { ...stored, revokedAt: 40 },
    });
    expect(registry.findApiKey(store, key("ac").keyHash)?.revokedAt).toBeNull();
  });

  test("are revoked by nobody who may do less", () => {
    const store = nodeStore();
    registry.addApiKey(store, key("ab"), changeAt(10));
    registry.addApiKey(store, { ...key("cd"), storeIds: null }, changeAt(20));
    const own = { permissions: key("ab").permissions, storeIds: [uuid(4, 1)] };
    const nothing = { read: false, write: true, admin: false };
    const by = (reach: typeof own, prefix: string): string =>
      registry.revokeApiKey(store, { agentId: AGENT, prefix, reach }, changeAt(40)).kind;
    expect(by({ ...own, storeIds: [uuid(4, 2)] }, "ab")).toBe("beyond_reach");
    expect(by({ ...own, permissions: nothing }, "ab")).toBe("beyond_reach");
    expect(by(own, "cd")).toBe("beyond_reach");
    expect(registry.apiKeysOf(store, AGENT).every(({ revokedAt }) => revokedAt === null)).toBe(true);
    expect(by(own, "ab")).toBe("revoked");
  });
});

test("API keys are bounded for each agent; gone ones make room", () => {
  const store = nodeStore();
  const key = (n: number, expiresAt: number | null) => ({
    keyHash: n.toString(16).padStart(64, "0"),
    agentId: AGENT,
    storeIds: null,
    permissions: { read: true, write: true, admin: false },
    rateLimit: null,
    limitKeyHash: null,
    expiresAt,
  });
  for (let n = 0; n < registry.MAX_API_KEYS_PER_AGENT; n++) {
    expect(registry.addApiKey(store, key(n, n < 2 ? 50 : null), changeAt(1))).toBe(true);
  }
  expect(registry.addApiKey(store, key(1_000, null), changeAt(49))).toBe(false);
  expect(registry.addApiKey(store, key(1_000, null), changeAt(50))).toBe(true);
  expect(registry.apiKeysOf(store, AGENT)).toHaveLength(registry.MAX_API_KEYS_PER_AGENT - 1);
  expect(registry.findApiKey(store, key(0, null).keyHash)).toBeNull();
});

test("reading a registry that was never written to writes nothing", () => {
  const store = nodeStore();
  expect(registry.agentSnapshot(store, AGENT)).toEqual({ version: 0, keys: [], policy: null });
  expect(registry.findApiKey(store, "ab".repeat(32))).toBeNull();
  expect(registry.apiKeysOf(store, AGENT)).toEqual([]);
  expect(registry.hasStore(store, uuid(4, 1))).toBe(false);
  expect(registry.revokeKey(store, AGENT, 1, changeAt(1))).toBeNull();
  expect(registry.revokeApiKey(store, revocation("ab"), changeAt(1))).toEqual({ kind: "not_found" });
  expect(store.exec("SELECT * FROM sqlite_schema")).toEqual([]);
  registry.addStore(store, uuid(4, 1), 1);
  registry.addStore(store, uuid(4, 1), 2);
  expect(registry.hasStore(store, uuid(4, 1))).toBe(true);
});
