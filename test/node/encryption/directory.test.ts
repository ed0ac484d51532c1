import { describe, expect, test } from "vitest";
import {
  encryptPayload,
  type EncryptionErrorCode,
  type EncryptionKey,
  findRecipient,
  generateEncryptionKey,
  registrationBody,
  type SigningKeys,
  verifiedEncryptionKeys,
  verifiedSigningKeys,
} from "../../../agent/src/encryption/index.ts";
import { newSigner, type Signer } from "../../../scripts/lib/signer.ts";
import {
  encryptionKeyDirectoryHash,
  type JsonObject,
  type JsonValue,
  keyDirectoryHash,
  to0xHex,
  toRfc3339Offset,
} from "../../../src/ves/index.ts";
import { fixedKey } from "../../conformance/samples.ts";

const NOW = Date.parse("2026-06-01T12:00:00Z");
const sequencer = await fixedKey(1);
const stranger = await fixedKey(2);
const agent = await newSigner(crypto.randomUUID(), crypto.randomUUID());
const trust = { sequencerKeys: [stranger.publicKey, sequencer.publicKey], now: NOW };
const [key, older] = [await generateEncryptionKey(), await generateEncryptionKey()];

type Hash = (body: JsonObject) => Uint8Array;

async function answer(keys: JsonValue[], hash: Hash, change: JsonObject = {}, by = sequencer): Promise<JsonObject> {
  const { tenantId, agentId } = agent;
  const body: JsonObject = { agentId, tenantId, keys, signedAt: toRfc3339Offset(NOW), ...change };
  return { ...body, directorySignature: to0xHex(await by.sign(hash(body))) };
}

/** A key as the directory has it. */
async function entry(
  of: EncryptionKey,
  change: JsonObject = {},
  by: Signer = agent,
  validTo?: number,
): Promise<JsonObject> {
  const registration = { ...by, signingKeyId: by.keyId, signingKey: by.key, key: of };
  const body = await registrationBody(validTo === undefined ? registration : { ...registration, validTo });
  const { kid, publicKey, signingKeyId, signedAt, signature } = body;
  const times = { createdAt: toRfc3339Offset(NOW), validTo: body.validTo ?? null, revokedAt: null };
  return { kid, algorithm: "x25519", publicKey, signingKeyId, signedAt, signature, ...times, ...change };
}

const signingKeys = (change: JsonObject = {}): Promise<JsonObject> => {
  const publicKey = to0xHex(agent.key.publicKey);
  const one = { keyId: 1, publicKey, validFrom: null, validTo: null, revokedAt: null, ...change };
  return answer([one], keyDirectoryHash);
};
const directory = async (entries: JsonObject[], change: JsonObject = {}, by = sequencer): Promise<JsonObject> =>
  answer(entries, encryptionKeyDirectoryHash, change, by);

/** What is found when the sequencer answers so. */
function find(encryptionKeys: JsonObject, signing: JsonObject, pinned?: SigningKeys) {
  const asked: string[] = [];
  const get = (path: string): Promise<JsonValue> => {
    asked.push(path.replace(agent.agentId, "A").replace(agent.tenantId, "T"));
    return Promise.resolve(path.includes("signing") ? signing : encryptionKeys);
  };
  return { found: findRecipient(get, agent, trust, pinned), asked };
}

async function expectFailure(encryptionKeys: JsonObject, code: EncryptionErrorCode): Promise<void> {
  await expect(find(encryptionKeys, await signingKeys()).found).rejects.toMatchObject({ code });
}

describe("the key of an agent", () => {
  test("is its newest, and can be encrypted to", async () => {
    const { found, asked } = find(await directory([await entry(key), await entry(older)]), await signingKeys());
    const recipient = await found;
    expect(recipient).toEqual({ agentId: agent.agentId, kid: key.kid, publicKey: key.publicKey, signingKeyId: 1 });
    expect(asked).toEqual([
      "/api/v1/agents/A/encryption-keys?tenant_id=T",
      "/api/v1/agents/A/signing-keys?tenant_id=T",
    ]);
    const context = {
      ves_version: 2,
      tenant_id: agent.tenantId,
      store_id: agent.storeId,
      event_id: agent.agentId,
      source_agent_id: agent.agentId,
      agent_key_id: 1,
      entity_type: "a",
      entity_id: "b",
      event_type: "c",
      created_at: "2026-06-01T12:00:00Z",
    };
    const { payload_encrypted } = await encryptPayload({ payload: 1, context, recipients: [recipient] });
    expect(payload_encrypted.recipients).toMatchObject([{ recipient_kid: key.kid }]);
  });

  test.each<[string, () => Promise<JsonObject>, JsonObject]>([
    ["revoked", () => entry(key, { revokedAt: toRfc3339Offset(NOW) }), {}],
    ["past its end", () => entry(key, {}, agent, NOW - 1), {}],
    ["registered under a key that was revoked since", () => entry(key), { revokedAt: toRfc3339Offset(NOW) }],
  ])("is not one that is %s", async (_, made, signing) => {
    const keys = await directory([await made()]);
    await expect(find(keys, await signingKeys(signing)).found).rejects.toMatchObject({ code: "no_usable_key" });
    const both = await directory([await made(), await entry(older)]);
    if (signing["revokedAt"] === undefined) {
      expect(await find(both, await signingKeys()).found).toMatchObject({ kid: older.kid });
    }
  });

  test("may have its end at this very moment", async () => {
    expect(await find(await directory([await entry(key, {}, agent, NOW)]), await signingKeys()).found).toMatchObject({
      kid: key.kid,
    });
  });

  test.each<[string, (sound: JsonObject) => JsonObject | Promise<JsonObject>]>([
    ["another key in its place", (sound) => ({ ...sound, publicKey: to0xHex(older.publicKey) })],
    ["another kid", (sound) => ({ ...sound, kid: 1 })],
    ["no end", async () => entry(key, { validTo: null }, agent, NOW)],
    ["a later end", async () => entry(key, { validTo: toRfc3339Offset(NOW + 1) }, agent, NOW)],
    ["the registration of another agent", async () => entry(key, {}, { ...agent, agentId: crypto.randomUUID() })],
    ["the registration in another tenant", async () => entry(key, {}, { ...agent, tenantId: crypto.randomUUID() })],
    ["a registration that somebody else signed", async () => entry(key, {}, { ...agent, key: stranger })],
  ])("with %s is noticed, though the sequencer signs it", async (_, change) => {
    await expectFailure(await directory([await change(await entry(key))]), "registration_signature_invalid");
    // Among sound ones too, and when it is out of use.
    const hidden = { ...(await change(await entry(key))), revokedAt: toRfc3339Offset(NOW) };
    await expectFailure(await directory([await entry(older), hidden]), "registration_signature_invalid");
  });

  test("of a sequencer that makes up signing keys too is noticed by who knows the agent's", async () => {
    const imposter = { ...agent, key: stranger };
    const keys = await directory([await entry(key, {}, imposter)]);
    const signing = await signingKeys({ publicKey: to0xHex(stranger.publicKey) });
    expect(await find(keys, signing).found).toMatchObject({ kid: key.kid });
    const pinned = await verifiedSigningKeys(await signingKeys(), agent, trust);
    await expect(find(keys, signing, pinned).found).rejects.toMatchObject({ code: "registration_signature_invalid" });
  });

  test("is none once its signing key is revoked, for who knew that key before too", async () => {
    const keys = await directory([await entry(key)]);
    const pinned = await verifiedSigningKeys(await signingKeys(), agent, trust);
    expect(await find(keys, await signingKeys(), pinned).found).toMatchObject({ kid: key.kid });
    const revoked = await signingKeys({ revokedAt: toRfc3339Offset(NOW) });
    await expect(find(keys, revoked, pinned).found).rejects.toMatchObject({ code: "no_usable_key" });
  });

  test("under a signing key that the agent does not have is refused", async () => {
    await expectFailure(await directory([await entry(key, { signingKeyId: 2 })]), "unknown_signing_key");
  });
});

describe("an answer is refused", () => {
  test("that the sequencer has not signed, or that was changed since", async () => {
    await expectFailure(await directory([await entry(key)], {}, agent.key), "directory_signature_invalid");
    const sound = await directory([await entry(key)]);
    await expectFailure({ ...sound, more: 1 }, "directory_signature_invalid");
    await expectFailure({ ...sound, keys: [] }, "directory_signature_invalid");
    await expectFailure({ ...sound, signedAt: toRfc3339Offset(NOW + 1) }, "directory_signature_invalid");
  });

  test("that is the other directory's, though the sequencer signed it", async () => {
    await expectFailure(await answer([await entry(key)], keyDirectoryHash), "directory_signature_invalid");
    await expect(verifiedSigningKeys(await directory([]), agent, trust)).rejects.toMatchObject({
      code: "directory_signature_invalid",
    });
  });

  test("about another agent or tenant", async () => {
    await expectFailure(await directory([], { agentId: crypto.randomUUID() }), "wrong_directory");
    await expectFailure(await directory([], { tenantId: crypto.randomUUID() }), "wrong_directory");
  });

  test.each([-301_000, 301_000])("signed %i ms from now, not one of a second less", async (ms) => {
    const entries = [await entry(key)];
    await expectFailure(await directory(entries, { signedAt: toRfc3339Offset(NOW + ms) }), "directory_stale");
    const fresh = await directory(entries, { signedAt: toRfc3339Offset(NOW + ms - Math.sign(ms) * 1_000) });
    expect(await find(fresh, await signingKeys()).found).toMatchObject({ kid: key.kid });
  });

  test.each<[string, () => JsonValue | Promise<JsonValue>]>([
    ["no object", () => []],
    ["null", () => null],
    ["no signature", async () => ({ ...(await directory([])), directorySignature: "0x00" })],
    ["no time", () => directory([], { signedAt: "yesterday" })],
    ["no keys", () => directory([], { keys: null })],
    ["a key that is none", async () => directory([await entry(key, { publicKey: "0x00" })])],
    ["a revocation without a time", async () => directory([await entry(key, { revokedAt: 1 })])],
  ])("with %s", async (_, made) => {
    const signing = await verifiedSigningKeys(await signingKeys(), agent, trust);
    await expect(verifiedEncryptionKeys(await made(), agent, signing, trust)).rejects.toMatchObject({
      code: "malformed_directory",
    });
  });
});
