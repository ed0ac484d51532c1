import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import {
  encryptionKeysOf,
  MAX_ENCRYPTION_KEYS_PER_AGENT,
  registerEncryptionKey,
  revokeEncryptionKey,
} from "../../src/tenant/encryption-keys.ts";
import { registerKey, registryVersion, revokeKey } from "../../src/tenant/registry.ts";
import {
  checkRegistrableEncryptionKey,
  encryptionKeyHash,
  encryptionKid,
  fromHex,
  toHex,
} from "../../src/ves/index.ts";
import { changeAt } from "../support/audit.ts";
import { uuid } from "../support/checked-events.ts";
import { nodeStore } from "../support/node-store.ts";

const AGENT = uuid(3, 1);

function key(kid: number, agentId = AGENT) {
  const publicKey = new Uint8Array(32).fill(kid % 251);
  const signature = new Uint8Array(64).fill(kid % 251);
  return { agentId, kid, publicKey, signingKeyId: 1, signature, signedAt: 1, validTo: null };
}

/** A registry with a signing key for each of these agents. */
function registry(...agents: string[]) {
  const store = nodeStore();
  for (const agentId of agents) {
    registerKey(
      store,
      { agentId, keyId: 1, publicKey: new Uint8Array(32), validFrom: null, validTo: null },
      changeAt(1),
    );
  }
  return store;
}

describe("the registry", () => {
  test("holds an agent's keys, newest first, each revoked once, and no event depends on them", () => {
    const store = registry(AGENT, uuid(3, 2));
    const version = registryVersion(store);
    expect(registerEncryptionKey(store, key(5), changeAt(10))).toEqual({ kind: "registered" });
    expect(registerEncryptionKey(store, key(4), changeAt(20))).toEqual({ kind: "registered" });
    expect(registerEncryptionKey(store, key(6, uuid(3, 2)), changeAt(20))).toEqual({ kind: "registered" });
    expect(revokeEncryptionKey(store, AGENT, 5, changeAt(30))?.revokedAt).toBe(30);
    expect(revokeEncryptionKey(store, AGENT, 5, changeAt(40))?.revokedAt).toBe(30);
    expect(revokeEncryptionKey(store, AGENT, 6, changeAt(40))).toBeNull();
    expect(encryptionKeysOf(store, AGENT)).toEqual([
      { ...key(4), createdAt: 20, revokedAt: null },
      { ...key(5), createdAt: 10, revokedAt: 30 },
    ]);
    expect(registryVersion(store)).toBe(version);
  });

  test("takes none whose signing key is revoked by then", () => {
    const store = registry(AGENT);
    expect(registerEncryptionKey(store, key(1, uuid(3, 2)), changeAt(5))).toEqual({ kind: "signing_key_unusable" });
    revokeKey(store, AGENT, 1, changeAt(5));
    expect(registerEncryptionKey(store, key(1), changeAt(5))).toEqual({ kind: "signing_key_unusable" });
    expect(encryptionKeysOf(store, AGENT)).toEqual([]);
  });

  test("lets no statement about a key come back after a later one", () => {
    const store = registry(AGENT);
    const stated = (signedAt: number, validTo: number | null) =>
      registerEncryptionKey(
        store,
        { ...key(5), signedAt, validTo, signature: new Uint8Array(64).fill(signedAt) },
        changeAt(100),
      );
    const held = () => encryptionKeysOf(store, AGENT).map(({ signedAt, validTo }) => [signedAt, validTo]);
    expect(stated(10, null)).toEqual({ kind: "registered" });
    expect(stated(20, 50)).toEqual({ kind: "registered" });
    expect(stated(10, null)).toEqual({ kind: "outdated" });
    expect(stated(19, 90)).toEqual({ kind: "outdated" });
    expect(held()).toEqual([[20, 50]]);
    expect(stated(20, 50)).toEqual({ kind: "registered" });
    expect(stated(21, 90)).toEqual({ kind: "registered" });
    expect(held()).toEqual([[21, 90]]);
  });

  test("bounds them for each agent", () => {
    const store = registry(AGENT, uuid(3, 2));
    const limit = MAX_ENCRYPTION_KEYS_PER_AGENT;
    for (let kid = 0; kid < limit; kid++) registerEncryptionKey(store, key(kid), changeAt(1));
    expect(registerEncryptionKey(store, key(limit), changeAt(1))).toEqual({ kind: "too_many_keys", limit });
    // The same once more is none more.
    expect(registerEncryptionKey(store, { ...key(7), validTo: 9 }, changeAt(1))).toEqual({ kind: "registered" });
    expect(registerEncryptionKey(store, key(limit, uuid(3, 2)), changeAt(1))).toEqual({ kind: "registered" });
  });

  test("that was never written to has none, and writes nothing to say so", () => {
    const store = nodeStore();
    expect(encryptionKeysOf(store, AGENT)).toEqual([]);
    expect(revokeEncryptionKey(store, AGENT, 1, changeAt(1))).toBeNull();
    expect(store.exec("SELECT * FROM sqlite_schema")).toEqual([]);
  });
});

describe("the statement that an agent signs", () => {
  const statement = { ...key(5), tenantId: uuid(1, 1) };

  test("has a hash that every member of it changes", () => {
    const changes = [
      {},
      { tenantId: uuid(1, 2) },
      { agentId: uuid(3, 2) },
      { kid: 6 },
      { publicKey: new Uint8Array(32).fill(6) },
      { signingKeyId: 2 },
      { validTo: 0 },
      { validTo: 1 },
      { signedAt: 2 },
    ];
    const hashes = changes.map((change) => toHex(encryptionKeyHash({ ...statement, ...change })));
    expect(new Set(hashes).size).toBe(changes.length);
  });

  test("is of a key of 32 bytes", () => {
    expect(() => encryptionKeyHash({ ...statement, publicKey: new Uint8Array(31) })).toThrow("32 bytes");
  });

  test("follows from the bytes as documented, as the kid does", () => {
    const digest = (...parts: (string | Uint8Array)[]): Buffer => {
      const hash = createHash("sha256");
      for (const part of parts) hash.update(part);
      return hash.digest();
    };
    expect(encryptionKid(statement.publicKey)).toBe(
      digest("VES_ENCRYPTION_KID_V1", statement.publicKey).readUInt32BE(),
    );
    const ids = [statement.tenantId, statement.agentId].map((id) => Buffer.from(id.replaceAll("-", ""), "hex"));
    const numbers = Uint8Array.of(0, 0, 0, 2, 0, 0, 0, 5);
    const tail = Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 2, 1, 1, 0, 0, 0, 0, 0, 0, 1, 0);
    expect(toHex(encryptionKeyHash({ ...statement, signedAt: 513, validTo: 256 }))).toBe(
      digest("VES_ENCRYPTION_KEY_V1", ...ids, numbers, statement.publicKey, tail).toString("hex"),
    );
  });
});

describe("an X25519 public key may be registered", () => {
  const twist = `e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800`;
  test.each<[string, string | undefined]>([
    [`09${"00".repeat(31)}`, undefined],
    ["8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a", undefined],
    [`eb${"ff".repeat(30)}7f`, undefined],
    ["00".repeat(32), "invalid_public_key"],
    [`01${"00".repeat(31)}`, "invalid_public_key"],
    [twist, "invalid_public_key"],
    ["5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157", "invalid_public_key"],
    [`ec${"ff".repeat(30)}7f`, "invalid_public_key"],
    [`ed${"ff".repeat(30)}7f`, "invalid_public_key"],
    [`ee${"ff".repeat(30)}7f`, "invalid_public_key"],
    [`09${"00".repeat(30)}80`, "invalid_public_key"],
    ["00".repeat(31), "invalid_length"],
  ])("%s: %s", (publicKey, code) => {
    expect(checkRegistrableEncryptionKey(fromHex(publicKey))?.code).toBe(code);
  });
});
