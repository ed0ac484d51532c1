import { describe, expect, test } from "vitest";
import {
  VesError,
  agentKeyProblem,
  checkRegistrableKey,
  fromHex,
  generateSeed,
  keyDirectoryHash,
  proofOfPossessionChallenge,
  sha256,
  signingKeyFromSeed,
  toHex,
  utf8,
  verifyEd25519,
  verifyProofOfPossession,
} from "../../src/ves/index.ts";
import type { AgentKey } from "../../src/ves/index.ts";
import { fixedKey, flipped } from "./samples.ts";
import { group } from "./vectors.ts";

const MESSAGE = sha256(utf8("message"));

describe("VES 3.1: Ed25519", () => {
  interface EdgeInput {
    pk: string;
    msg: string;
    sig: string;
  }
  const edges = group<EdgeInput, { reference_accepts: boolean }>("ed25519_edge");

  test.each(edges)("$id", async ({ input, expected }) => {
    const verdict = await verifyEd25519(fromHex(input.pk), fromHex(input.msg), fromHex(input.sig));
    expect(verdict).toBe(expected.reference_accepts);
  });

  test("verdicts do not depend on whether the key has been imported before", async () => {
    for (const { input, expected } of [...edges, ...edges]) {
      const verdict = await verifyEd25519(fromHex(input.pk), fromHex(input.msg), fromHex(input.sig));
      expect(verdict).toBe(expected.reference_accepts);
    }
  });

  test("a fresh key verifies its own signatures and no others", async () => {
    const [key, other] = await Promise.all([generateSeed(), generateSeed()].map(signingKeyFromSeed));
    if (key === undefined || other === undefined) throw new Error("unreachable");
    const signature = await key.sign(MESSAGE);
    expect(signature).toEqual(await key.sign(MESSAGE));
    expect(await verifyEd25519(key.publicKey, MESSAGE, signature)).toBe(true);
    expect(await verifyEd25519(other.publicKey, MESSAGE, signature)).toBe(false);
    expect(await verifyEd25519(key.publicKey, flipped(MESSAGE), signature)).toBe(false);
    for (const index of [0, 31, 32, 63]) {
      expect(await verifyEd25519(key.publicKey, MESSAGE, flipped(signature, index))).toBe(false);
    }
  });

  test("keys and signatures of another length are not valid, and not errors", async () => {
    const key = await fixedKey(1);
    const signature = await key.sign(MESSAGE);
    expect(await verifyEd25519(key.publicKey, MESSAGE, signature)).toBe(true);
    expect(await verifyEd25519(key.publicKey.subarray(1), MESSAGE, signature)).toBe(false);
    expect(await verifyEd25519(new Uint8Array(33), MESSAGE, signature)).toBe(false);
    expect(await verifyEd25519(key.publicKey, MESSAGE, signature.subarray(1))).toBe(false);
    expect(await verifyEd25519(key.publicKey, MESSAGE, new Uint8Array(0))).toBe(false);
  });

  test("more keys than the cache holds keep verifying", { timeout: 30_000 }, async () => {
    const key = await fixedKey(1);
    const signature = await key.sign(MESSAGE);
    for (let i = 0; i < 1100; i++) {
      await verifyEd25519(sha256(utf8(`key ${i}`)), MESSAGE, signature);
    }
    expect(await verifyEd25519(key.publicKey, MESSAGE, signature)).toBe(true);
    expect(await verifyEd25519(key.publicKey, MESSAGE, flipped(signature))).toBe(false);
  });

  test.each([0, 31, 33, 64])("a seed of %d bytes is refused", async (length) => {
    await expect(signingKeyFromSeed(new Uint8Array(length))).rejects.toMatchObject({ code: "invalid_length" });
  });

  test("seeds are random", () => {
    expect(generateSeed()).toHaveLength(32);
    expect(toHex(generateSeed())).not.toBe(toHex(generateSeed()));
  });
});

describe("VES 3.1: keys that may be registered", () => {
  const order8 = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a";

  test.each([
    ["identity", `01${"00".repeat(31)}`, /small order/],
    ["order 2", `ec${"ff".repeat(30)}7f`, /small order/],
    ["order 4", "00".repeat(32), /small order/],
    ["order 8", order8, /small order/],
    ["identity, y not reduced", `ee${"ff".repeat(30)}7f`, /canonical/],
    ["identity with a sign bit", `01${"00".repeat(30)}80`, /canonical/],
    ["not on the curve", `02${"00".repeat(31)}`, /canonical/],
    ["y of all ones", "ff".repeat(32), /canonical/],
  ])("%s is refused", (_, hex, message) => {
    expect(checkRegistrableKey(fromHex(hex))).toMatchObject({ code: "invalid_public_key", message });
  });

  test.each([0, 31, 33, 64])("%d bytes are refused", (length) => {
    expect(checkRegistrableKey(new Uint8Array(length))).toMatchObject({ code: "invalid_length" });
  });

  test("honest keys are not refused", async () => {
    for (let fill = 0; fill < 8; fill++) {
      expect(checkRegistrableKey((await fixedKey(fill)).publicKey)).toBeUndefined();
    }
  });

  test("of the edge vectors' keys, exactly the honest ones may be registered", () => {
    const honest = new Set<string>();
    for (const { id, input } of group<{ pk: string }, object>("ed25519_edge")) {
      const problem = checkRegistrableKey(fromHex(input.pk));
      if (problem === undefined) honest.add(id.slice("ed25519_edge/".length));
      else expect(problem).toBeInstanceOf(VesError);
      if (id.includes("mixed-order")) expect(problem?.message).toMatch(/prime-order subgroup/);
    }
    expect([...honest]).toEqual([
      "valid",
      "R-torsion-cofactored-only-",
      "S-0-R-small-order-honest-A",
      "all-zero-signature",
    ]);
  });
});

describe("VES 3.5: when a key is good", () => {
  const key: AgentKey = {
    keyId: 1,
    publicKey: new Uint8Array(32),
    validFrom: 100,
    validTo: 200,
    revokedAt: null,
  };

  test.each<[string, AgentKey | undefined, number, string | undefined]>([
    ["no key", undefined, 150, "Agent key not found"],
    ["before the window", key, 99, "Agent key is not yet valid"],
    ["first instant", key, 100, undefined],
    ["last instant", key, 200, undefined],
    ["after the window", key, 201, "Agent key has expired"],
    ["before revocation", { ...key, revokedAt: 150 }, 149, undefined],
    ["at revocation", { ...key, revokedAt: 150 }, 150, "Agent key has been revoked"],
    ["revoked and expired", { ...key, revokedAt: 150 }, 300, "Agent key has been revoked"],
    ["no bounds", { ...key, validFrom: null, validTo: null }, 0, undefined],
    [
      "revoked without bounds",
      { ...key, validFrom: null, validTo: null, revokedAt: 0 },
      0,
      "Agent key has been revoked",
    ],
  ])("%s", (_, candidate, now, expected) => {
    expect(agentKeyProblem(candidate, now)).toBe(expected);
  });
});

describe("VES 2.9: proof of possession", () => {
  interface Input {
    algorithm: number;
    ed25519_secret_key_hex: string;
    ed25519_public_key_hex: string;
  }
  const ed25519Only = group<Input, { challenge: string; ed25519_pop: string }>("proof_of_possession").filter(
    ({ input }) => input.algorithm === 1,
  );

  test("the group holds Ed25519 vectors", () => {
    expect(ed25519Only).toHaveLength(2);
  });

  test.each(ed25519Only)("$id", async ({ input, expected }) => {
    const publicKey = fromHex(input.ed25519_public_key_hex);
    const proof = fromHex(expected.ed25519_pop);
    const challenge = proofOfPossessionChallenge(publicKey);
    expect(toHex(challenge)).toBe(expected.challenge);
    const key = await signingKeyFromSeed(fromHex(input.ed25519_secret_key_hex));
    expect(toHex(key.publicKey)).toBe(input.ed25519_public_key_hex);
    expect(toHex(await key.sign(challenge))).toBe(expected.ed25519_pop);
    expect(await verifyProofOfPossession(publicKey, proof)).toBe(true);
    expect(await verifyProofOfPossession(publicKey, flipped(proof, 40))).toBe(false);
    expect(await verifyProofOfPossession((await fixedKey(1)).publicKey, proof)).toBe(false);
  });
});

test("VES 3.5: a key directory is hashed as canonical JSON behind its domain", async () => {
  const body = { tenantId: "t", agentId: "a", keys: [{ validTo: null, keyId: 1 }], signedAt: "2026-01-02T03:04:05Z" };
  const preimage =
    'VES_KEYDIR_V1{"agentId":"a","keys":[{"keyId":1,"validTo":null}],"signedAt":"2026-01-02T03:04:05Z","tenantId":"t"}';
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(preimage));
  expect(keyDirectoryHash(body)).toEqual(new Uint8Array(digest));
  expect(keyDirectoryHash({ ...body, agentId: "b" })).not.toEqual(keyDirectoryHash(body));
});
