import { describe, expect, it } from "vitest";
import type { ErrorCode } from "../../../src/errors.ts";
import { fromHex, proofOfPossessionChallenge, to0xHex, toBase64, toBase64Url, toHex } from "../../../src/ves/index.ts";
import { agent, type Agent, list, post, registration } from "./agent-key-calls.ts";
import { accept, detailsOf, event, expectError, ingest, newAgent, type Wire } from "./harness.ts";

const PATHS = ["/api/v1/agents/keys", "/api/v1/agent-keys"];

async function expectRefused(
  signer: Agent,
  change: Wire,
  code: ErrorCode,
  path: string,
  message: string,
): Promise<void> {
  for (const route of PATHS) {
    const reply = await post(registration(signer, change), { path: route });
    expectError(
      reply,
      code,
      code === "UNPROCESSABLE" && !message.startsWith("lies") && !message.includes("served")
        ? `${path}: ${message}`
        : `${path} ${message}`,
    );
    expect(detailsOf(reply)).toContainEqual({ path, message });
  }
  expect((await list(signer)).body).toEqual({ keys: [] });
  const events = await ingest(signer, [await event(signer)]);
  expect(events.body).toMatchObject({ rejections: [{ reason: "agent_key_invalid: Agent key not found" }] });
  expect((await post(registration(signer))).status).toBe(200);
  await accept(signer, await event(signer));
}

describe("registration", () => {
  it.each(PATHS)("answers on %s, and both lists show the key", async (path) => {
    const signer = await agent();
    const reply = await post(registration(signer), { path });
    expect(reply.body).toMatchObject({
      success: true,
      tenantId: signer.tenantId,
      agentId: signer.agentId,
      keyId: 1,
      keyAlgorithm: 0,
      status: "active",
    });
    for (const route of PATHS) {
      expect((await list(signer, route)).body).toMatchObject({
        keys: [
          {
            key_id: 1,
            agent_id: signer.agentId,
            algorithm: "ed25519",
            public_key: toHex(signer.key.publicKey),
            status: "active",
            valid_from: null,
            valid_to: null,
            revoked_at: null,
          },
        ],
      });
    }
    await accept(signer, await event(signer));
  });

  it.each<[string, (signer: Agent) => Wire]>([
    [
      "snake_case",
      ({ tenantId, agentId, key }) => ({
        tenant_id: tenantId,
        agent_id: agentId,
        key_id: 1,
        public_key: toHex(key.publicKey),
        key_algorithm: 1,
        valid_from: null,
      }),
    ],
    ["hex with 0x", ({ key }) => ({ publicKey: to0xHex(key.publicKey) })],
    ["hex in capitals", ({ key }) => ({ publicKey: toHex(key.publicKey).toUpperCase() })],
    ["base64", ({ key }) => ({ publicKey: toBase64(key.publicKey) })],
    ["base64url", ({ key }) => ({ publicKey: toBase64Url(key.publicKey) })],
    ["algorithm 0", () => ({ keyAlgorithm: 0 })],
    ["algorithm 1", () => ({ keyAlgorithm: 1 })],
    ["an algorithm without meaning", () => ({ keyAlgorithm: 7 })],
    [
      "the bundle of the same key",
      ({ key }) => ({ publicKeyBundle: { ed25519PublicKey: toHex(key.publicKey), x25519PublicKey: "ab" } }),
    ],
    ["window of one instant", () => ({ validFrom: "2020-01-01T00:00:00Z", validTo: "2090-01-01T00:00:00Z" })],
    ["validUntil", () => ({ validUntil: "2090-01-01T00:00:00Z" })],
    ["unknown members", () => ({ keyType: "SIGNING" })],
  ])("accepted: %s", async (name, change) => {
    const signer = await agent();
    const body = name === "snake_case" ? change(signer) : registration(signer, change(signer));
    const reply = await post(body);
    expect(reply.status).toBe(200);
    await accept(signer, await event(signer));
  });

  it("without a key id gives the next one, also when a higher one is taken", async () => {
    const signer = await agent();
    const keyIds: unknown[] = [];
    for (const keyId of [undefined, undefined, 40, undefined, 0]) {
      const { key } = await agent();
      const reply = await post(registration({ ...signer, key }, { keyId }));
      keyIds.push((reply.body as { keyId: number }).keyId);
    }
    expect(keyIds).toEqual([1, 2, 40, 41, 0]);
    const listed = (await list(signer)).body.keys;
    expect(listed.map(({ key_id }) => key_id)).toEqual([0, 1, 2, 40, 41]);
  });

  it.each<[Wire, string, string]>([
    [{ tenantId: undefined }, "tenantId", "Invalid input: expected string, received undefined"],
    [{ agentId: "me" }, "agentId", "expected a UUID"],
    [{ keyId: -1 }, "keyId", "Too small: expected number to be >=0"],
    [{ keyId: 2 ** 32 }, "keyId", "Too big: expected number to be <=4294967295"],
    [{ keyId: "1" }, "keyId", "Invalid input: expected number, received string"],
    [{ publicKey: undefined }, "publicKey", "Invalid input: expected string, received undefined"],
    [{ publicKey: "ab".repeat(31) }, "publicKey", "expected 32 bytes in hex or base64"],
    [{ publicKey: "ab".repeat(33) }, "publicKey", "expected 32 bytes in hex or base64"],
    [{ publicKey: `0X${"ab".repeat(32)}` }, "publicKey", "expected 32 bytes in hex or base64"],
    [{ publicKey: "zz".repeat(32) }, "publicKey", "expected 32 bytes in hex or base64"],
    [{ publicKey: "" }, "publicKey", "expected 32 bytes in hex or base64"],
    [{ validFrom: "now" }, "validFrom", "expected an RFC 3339 time"],
    [{ validTo: 7 }, "validTo", "Invalid input: expected string, received number"],
    [{ keyAlgorithm: "ed25519" }, "keyAlgorithm", "Invalid input: expected number, received string"],
    [{ proofOfPossession: "ab" }, "proofOfPossession", "expected 64 bytes in hex or base64"],
    [
      { proofOfPossessionBundle: { ed25519Pop: "ab" } },
      "proofOfPossessionBundle.ed25519Pop",
      "expected 64 bytes in hex or base64",
    ],
    [{ publicKeyBundle: "x" }, "publicKeyBundle", "Invalid input: expected object, received string"],
    [{ validFrom: "2030-01-01T00:00:00Z", validTo: "2029-01-01T00:00:00Z" }, "validTo", "lies before validFrom"],
    [{ keyAlgorithm: 2 }, "keyAlgorithm", "2 (X25519) is not served, only Ed25519 (0 or 1)"],
    [{ keyAlgorithm: 3 }, "keyAlgorithm", "3 (ML-DSA-65) is not served, only Ed25519 (0 or 1)"],
    [{ keyAlgorithm: 5 }, "keyAlgorithm", "5 (Ed25519+ML-DSA-65) is not served, only Ed25519 (0 or 1)"],
    [{ keyAlgorithm: 6 }, "keyAlgorithm", "6 (X25519+ML-KEM-768) is not served, only Ed25519 (0 or 1)"],
  ])("422: %j", async (change, path, message) => {
    await expectRefused(await agent(), change, "UNPROCESSABLE", path, message);
  });

  const SMALL = "public key has small order: anybody can sign for it";
  const OFF = "public key is not the canonical encoding of a point on the curve";
  it.each([
    ["01".padEnd(64, "0"), SMALL],
    ["00".repeat(32), SMALL],
    ["ec" + "ff".repeat(30) + "7f", SMALL],
    ["26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", SMALL],
    ["c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa", SMALL],
    ["01" + "00".repeat(30) + "80", OFF],
    ["ee" + "ff".repeat(30) + "7f", OFF],
    ["ff".repeat(32), OFF],
    ["ed" + "ff".repeat(30) + "7f", OFF],
    ["02" + "00".repeat(31), OFF],
    [
      "6999d5cb5126005c325892f1c6eab824b310708befff12fbaf45dda050cb12f0",
      "public key is not in the prime-order subgroup, where every honest key is",
    ],
  ])("400 INVALID_PUBLIC_KEY: %s", async (publicKey, message) => {
    await expectRefused(await agent(), { publicKey }, "INVALID_PUBLIC_KEY", "publicKey", message);
  });

  it("400: a bundle that names another key", async () => {
    const { key } = await agent();
    const change = { publicKeyBundle: { ed25519PublicKey: toHex(key.publicKey) } };
    await expectRefused(
      await agent(),
      change,
      "INVALID_PUBLIC_KEY",
      "publicKeyBundle.ed25519PublicKey",
      "is another key than publicKey",
    );
  });

  it("409: a used key id, whatever the key, and the first one stays", async () => {
    const signer = await newAgent();
    for (const key of [signer.key, (await agent()).key]) {
      const reply = await post(registration({ ...signer, key }));
      expectError(reply, "ALREADY_EXISTS", `Key 1 of agent ${signer.agentId} is registered already`);
    }
    expect((await list(signer)).body.keys.map(({ public_key }) => public_key)).toEqual([toHex(signer.key.publicKey)]);
    await accept(signer, await event(signer));
  });
});

describe("proof of possession", () => {
  const prove = async ({ key }: Agent): Promise<string> =>
    toHex(await key.sign(proofOfPossessionChallenge(key.publicKey)));
  const BAD = "does not verify under publicKey";
  it("is verified when it is given, in both places", async () => {
    const [signer, other] = [await agent(), await agent()];
    const wrong = await prove(other);
    await expectRefused(
      signer,
      { proofOfPossession: wrong },
      "SIGNATURE_VERIFICATION_FAILED",
      "proofOfPossession",
      BAD,
    );
    const raw = toHex(await signer.key.sign(signer.key.publicKey));
    await expectRefused(
      await agent(),
      { proofOfPossessionBundle: { ed25519Pop: raw } },
      "SIGNATURE_VERIFICATION_FAILED",
      "proofOfPossession",
      BAD,
    );
    expect((await post(registration(signer, { keyId: 2, proofOfPossession: await prove(signer) }))).status).toBe(200);
    expect(
      (await post(registration(signer, { keyId: 3, proofOfPossessionBundle: { ed25519Pop: await prove(signer) } })))
        .status,
    ).toBe(200);
    const base64 = toBase64(fromHex(await prove(signer)));
    expect((await post(registration(signer, { keyId: 4, proof_of_possession: base64 }))).status).toBe(200);
  });

  it("is demanded where the deployment says so", async () => {
    const signer = await agent();
    const settings = { REQUIRE_PROOF_OF_POSSESSION: "true" };
    const reply = await post(registration(signer), { settings });
    expectError(reply, "MISSING_REQUIRED_FIELD", "proofOfPossession is demanded by this deployment");
    expect((await list(signer)).body).toEqual({ keys: [] });
    expect((await post(registration(signer, { proofOfPossession: await prove(signer) }), { settings })).status).toBe(
      200,
    );
  });
});
