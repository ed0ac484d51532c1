import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import {
  decryptPayload,
  decryptWithKeyring,
  encryptPayload,
  type EncryptionErrorCode,
  type EncryptionKey,
  generateEncryptionKey,
  MAX_RECIPIENTS,
  type Recipient,
} from "../../../agent/src/encryption/index.ts";
import { newSigner, type Signer } from "../../../scripts/lib/signer.ts";
import {
  canonicalJson,
  encryptedPayloadHash,
  type EncryptedPayload,
  type Envelope,
  fromBase64Url,
  type JsonValue,
  parseJson,
  toBase64Url,
} from "../../../src/ves/index.ts";
import { endToEndEvent } from "../../support/end-to-end-event.ts";

const FACT = { entityType: "order", entityId: "ORD-1", eventType: "order.created" };
const PAYLOAD = { total: "42.00", to: "Karla Ångström" };

let signer: Signer;
let keys: readonly EncryptionKey[];
let envelope: Envelope & { readonly payload_encrypted: EncryptedPayload };

beforeAll(async () => {
  signer = await newSigner(crypto.randomUUID(), crypto.randomUUID());
  keys = await Promise.all([0, 1, 2, 3].map(generateEncryptionKey));
  envelope = await endToEndEvent(signer, { ...FACT, payload: PAYLOAD }, keys.slice(0, 3));
});

const key = (index: number): EncryptionKey => keys[index] as EncryptionKey;
const read = (event: Envelope, { kid, privateKey }: EncryptionKey = key(0)): Promise<JsonValue> =>
  decryptPayload({ envelope: event, kid, privateKey });

/** Changes the encrypted payload as who holds the agent's signing key could: its hash follows. */
function rehashed(change: Partial<EncryptedPayload>, layout: "binary" | "json" = "binary"): Envelope {
  const event = { ...envelope, payload_encrypted: { ...envelope.payload_encrypted, ...change } };
  return { ...event, payload_cipher_hash: encryptedPayloadHash(event, layout) ?? new Uint8Array(32) };
}

/** The text with one bit of what it encodes flipped. */
function flipped(text: string, index = 0): string {
  const bytes = fromBase64Url(text);
  bytes[index] = (bytes[index] as number) ^ 1;
  return toBase64Url(bytes);
}

async function expectFailure(attempt: Promise<unknown>, code: EncryptionErrorCode): Promise<void> {
  const error = await attempt.then(
    () => undefined,
    (thrown: unknown) => thrown as Error,
  );
  expect(error).toMatchObject({ name: "EncryptionError", code });
  // Neither content nor anything that leads to it.
  expect(error?.cause).toBeUndefined();
  expect(error?.message).not.toMatch(/Karla|42\.00/);
}

describe("what is encrypted", () => {
  test("is read by each recipient, by its key and from a ring, and not by anybody else", async () => {
    for (const recipient of keys.slice(0, 3)) expect(await read(envelope, recipient)).toEqual(PAYLOAD);
    const ring = (...indices: number[]) => new Map(indices.map((i) => [key(i).kid, key(i).privateKey]));
    expect(await decryptWithKeyring(envelope, ring(3, 1))).toEqual(PAYLOAD);
    await expectFailure(decryptWithKeyring(envelope, ring(3)), "not_a_recipient");
    await expectFailure(read(envelope, key(3)), "not_a_recipient");
    await expectFailure(read(envelope, { ...key(3), kid: key(0).kid }), "key_unwrap_failed");
    const { payload_encrypted: _, ...plain } = envelope;
    await expectFailure(decryptWithKeyring(plain, ring(0)), "not_encrypted");
  });

  test("any JSON comes back as it was", async () => {
    // As the protocol's own parser reads it, for which -0 is 0 and which has no lone surrogates.
    const documents = fc.jsonValue({ stringUnit: "binary" });
    await fc.assert(
      fc.asyncProperty(documents, fc.integer({ min: 1, max: 4 }), async (document, count) => {
        const payload = parseJson(canonicalJson(document as JsonValue));
        const event = await endToEndEvent(signer, { ...FACT, payload }, keys.slice(0, count));
        for (const recipient of keys.slice(0, count)) expect(await read(event, recipient)).toEqual(payload);
      }),
      { numRuns: 20 },
    );
  }, 30_000);

  test("is never twice the same, and its hashes tell nothing of it", async () => {
    const again = await endToEndEvent(signer, { ...FACT, payload: PAYLOAD, eventId: envelope.event_id }, keys);
    expect(again.payload_plain_hash).not.toEqual(envelope.payload_plain_hash);
    expect(again.payload_encrypted.ciphertext_b64u).not.toBe(envelope.payload_encrypted.ciphertext_b64u);
    const [first, second] = [again, envelope].map((event) => event.payload_encrypted.recipients[0]?.enc_b64u);
    expect(first).not.toBe(second);
  });

  test("lists its recipients by kid, in whatever order they were given", async () => {
    const kids = envelope.payload_encrypted.recipients.map(({ recipient_kid }) => recipient_kid);
    expect(kids).toEqual(
      keys
        .slice(0, 3)
        .map(({ kid }) => kid)
        .toSorted((a, b) => a - b),
    );
  });

  test.each<[string, (sound: Recipient) => readonly Recipient[]]>([
    ["nobody", () => []],
    ["one kid twice", (sound) => [sound, { ...sound }]],
    ["a kid beyond 32 bits", (sound) => [{ ...sound, kid: 2 ** 32 }]],
    ["a kid that is no whole number", (sound) => [{ ...sound, kid: 1.5 }]],
    ["a key of 31 bytes", (sound) => [{ ...sound, publicKey: sound.publicKey.subarray(1) }]],
    ["a key of small order", (sound) => [sound, { kid: 5, publicKey: new Uint8Array(32) }]],
    ["too many", (sound) => Array.from({ length: MAX_RECIPIENTS + 1 }, (_, kid) => ({ ...sound, kid }))],
  ])("is refused for %s", async (_, recipients) => {
    const payload = PAYLOAD;
    await expectFailure(
      encryptPayload({ payload, context: envelope, recipients: recipients(key(0)) }),
      "invalid_recipients",
    );
  });
});

describe("altered on its way", () => {
  const recipient = (index: number, change: object): Partial<EncryptedPayload> => ({
    recipients: envelope.payload_encrypted.recipients.map((one, i) => (i === index ? { ...one, ...change } : one)),
  });
  const ofRecipient = (index: number) =>
    envelope.payload_encrypted.recipients[index] as { enc_b64u: string; ct_b64u: string };
  const parts: [string, () => Partial<EncryptedPayload>][] = [
    ["nonce", () => ({ nonce_b64u: flipped(envelope.payload_encrypted.nonce_b64u) })],
    ["ciphertext", () => ({ ciphertext_b64u: flipped(envelope.payload_encrypted.ciphertext_b64u, 20) })],
    [
      "shortened ciphertext",
      () => ({ ciphertext_b64u: toBase64Url(fromBase64Url(envelope.payload_encrypted.ciphertext_b64u).subarray(1)) }),
    ],
    ["tag", () => ({ tag_b64u: flipped(envelope.payload_encrypted.tag_b64u, 15) })],
    ...[0, 1, 2].flatMap((index): [string, () => Partial<EncryptedPayload>][] => [
      [`kid of recipient ${index}`, () => recipient(index, { recipient_kid: [1, 2 ** 31, 2 ** 32 - 1][index] })],
      [`enc of recipient ${index}`, () => recipient(index, { enc_b64u: flipped(ofRecipient(index).enc_b64u) })],
      [`ct of recipient ${index}`, () => recipient(index, { ct_b64u: flipped(ofRecipient(index).ct_b64u, 47) })],
    ]),
    ["one recipient less", () => ({ recipients: envelope.payload_encrypted.recipients.slice(1) })],
  ];

  test.each(parts)("%s: nobody reads it", async (_, change) => {
    const altered = { ...envelope, payload_encrypted: { ...envelope.payload_encrypted, ...change() } };
    for (const one of keys) {
      await expect(read(altered, one)).rejects.toMatchObject({
        code: expect.stringMatching(/^(cipher_hash_mismatch|malformed)$/) as string,
      });
    }
  });

  test.each<[Partial<EncryptedPayload>, EncryptionErrorCode]>([
    [{ enc_version: 2 }, "unsupported_suite"],
    [{ enc_version: 0 }, "malformed"],
    [{ aead: "AES-128-GCM" }, "malformed"],
    [
      { hpke: { mode: "pqc-base", kem: "X25519-HKDF-SHA256", kdf: "HKDF-SHA256", aead: "AES-256-GCM" } },
      "unsupported_suite",
    ],
    [{ hpke: { mode: "base", kem: "mlkem768", kdf: "HKDF-SHA256", aead: "AES-256-GCM" } }, "unsupported_suite"],
    [{ hpke: { mode: "base", kem: "X25519-HKDF-SHA256", kdf: "x", aead: "AES-256-GCM" } }, "malformed"],
  ])("%j: nobody reads it, though no hash covers that", async (change, code) => {
    const altered = { ...envelope, payload_encrypted: { ...envelope.payload_encrypted, ...change } };
    for (const one of keys) await expectFailure(read(altered, one), code);
  });

  test.each<[string, Partial<Envelope>]>([
    ["tenant", { tenant_id: "00000000-0000-4000-8000-000000000001" }],
    ["store", { store_id: "00000000-0000-4000-8000-000000000001" }],
    ["event", { event_id: "00000000-0000-4000-8000-000000000001" }],
    ["agent", { source_agent_id: "00000000-0000-4000-8000-000000000001" }],
    ["signing key", { agent_key_id: 2 }],
    ["entity type", { entity_type: "return" }],
    ["entity", { entity_id: "ORD-2" }],
    ["event type", { event_type: "order.cancelled" }],
    ["time", { created_at: "2026-01-01T00:00:00Z" }],
    ["plain hash", { payload_plain_hash: new Uint8Array(32) }],
  ])("put under another %s it does not open, with the hashes made to fit too", async (_, change) => {
    const moved = { ...envelope, ...change };
    await expectFailure(read(moved), "cipher_hash_mismatch");
    const fitting = { ...moved, payload_cipher_hash: encryptedPayloadHash(moved, "binary") ?? new Uint8Array(32) };
    await expectFailure(read(fitting), "key_unwrap_failed");
  });

  test("with the hash made to fit, the first check that notices names itself", async () => {
    await expectFailure(
      read(rehashed({ nonce_b64u: flipped(envelope.payload_encrypted.nonce_b64u) })),
      "content_decryption_failed",
    );
    await expectFailure(
      read(rehashed({ tag_b64u: flipped(envelope.payload_encrypted.tag_b64u) })),
      "content_decryption_failed",
    );
    const index = envelope.payload_encrypted.recipients.findIndex(({ recipient_kid: kid }) => kid === key(0).kid);
    await expectFailure(
      read(rehashed(recipient(index, { ct_b64u: flipped(ofRecipient(index).ct_b64u) }))),
      "key_unwrap_failed",
    );
    await expectFailure(
      read(rehashed(recipient(index, { enc_b64u: toBase64Url(new Uint8Array(32)) }))),
      "key_unwrap_failed",
    );
    // Control: unchanged, it is read.
    expect(await read(rehashed({}))).toEqual(PAYLOAD);
  });

  test("a private key of another length is told from one that does not fit", async () => {
    await expectFailure(read(envelope, { ...key(0), privateKey: new Uint8Array(31) }), "invalid_private_key");
  });
});
