import { describe, expect, test } from "vitest";
import {
  canonicalJson,
  cipherHashMatches,
  encryptedPayloadProblem,
  encryptedPayloadSchema,
  fromBase64Url,
  fromHex,
  parseJson,
  payloadAad,
  payloadCipherHash,
  payloadPlainHash,
  recipientsHash,
  toBase64Url,
  toHex,
} from "../../src/ves/index.ts";
import type { EncryptedPayload, EventIdentity, JsonValue } from "../../src/ves/index.ts";
import { flipped } from "./samples.ts";
import { group } from "./vectors.ts";

interface CipherInput {
  nonce_hex?: string;
  aad_hex?: string;
  ciphertext_hex?: string;
  tag_hex?: string;
  recipients: { kid: number; enc_hex: string; ct_hex: string }[];
}

interface CipherExpected {
  recipients_hash: string;
  recipients_hash_reversed?: string;
  hash?: string;
}

interface EncryptionInput {
  context: EventIdentity;
  payload_json: string;
  salt_hex: string;
}

interface EncryptionExpected {
  payload_plain_hash: string;
  payload_aad: string;
  ciphertext_hex: string;
  tag_hex: string;
  recipients_hash: string;
  payload_cipher_hash: string;
  payload_encrypted: EncryptedPayload;
}

const encryptions = group<EncryptionInput, EncryptionExpected>("ves_enc_1");

/** The event of an encryption vector, with a payload of its own. */
function eventOf({ input, expected }: (typeof encryptions)[number]) {
  return {
    ...input.context,
    payload_plain_hash: fromHex(expected.payload_plain_hash),
    payload_cipher_hash: fromHex(expected.payload_cipher_hash),
    payload_encrypted: structuredClone(expected.payload_encrypted),
  };
}

const base = eventOf(encryptions[1] as (typeof encryptions)[number]);
const payload = base.payload_encrypted;

function withRecipient(index: number, change: object): EncryptedPayload["recipients"] {
  return payload.recipients.map((recipient, i) => (i === index ? { ...recipient, ...change } : recipient));
}

describe("VES 2.4: cipher hash", () => {
  test.each(group<CipherInput, CipherExpected>("payload_cipher_hash"))("$id", ({ input, expected }) => {
    const recipients = input.recipients.map(({ kid, enc_hex, ct_hex }) => ({
      kid,
      enc: fromHex(enc_hex),
      ct: fromHex(ct_hex),
    }));
    const hash = recipientsHash(recipients);
    expect(toHex(hash)).toBe(expected.recipients_hash);
    if (expected.recipients_hash_reversed !== undefined) {
      expect(toHex(recipientsHash(recipients.toReversed()))).toBe(expected.recipients_hash_reversed);
    }
    if (expected.hash !== undefined) {
      const cipherHash = payloadCipherHash({
        nonce: fromHex(input.nonce_hex ?? ""),
        aad: fromHex(input.aad_hex ?? ""),
        ciphertext: fromHex(input.ciphertext_hex ?? ""),
        tag: fromHex(input.tag_hex ?? ""),
        recipientsHash: hash,
      });
      expect(toHex(cipherHash)).toBe(expected.hash);
    }
  });
});

describe("VES 4.1: encrypted payloads", () => {
  test.each(encryptions)("$id", (vector) => {
    const { input, expected } = vector;
    const event = eventOf(vector);
    const sent = event.payload_encrypted;
    const canonical = canonicalJson(parseJson(input.payload_json));
    expect(toHex(payloadPlainHash(canonical, fromHex(input.salt_hex)))).toBe(expected.payload_plain_hash);
    expect(toHex(payloadAad(event))).toBe(expected.payload_aad);
    expect(toHex(fromBase64Url(sent.ciphertext_b64u))).toBe(expected.ciphertext_hex);
    expect(toHex(fromBase64Url(sent.tag_b64u))).toBe(expected.tag_hex);
    const recipients = sent.recipients.map(({ recipient_kid: kid, enc_b64u, ct_b64u }) => ({
      kid,
      enc: fromBase64Url(enc_b64u),
      ct: fromBase64Url(ct_b64u),
    }));
    expect(toHex(recipientsHash(recipients))).toBe(expected.recipients_hash);
    expect(encryptedPayloadSchema.parse(sent)).toEqual(sent);
    expect(encryptedPayloadProblem(sent)).toBeUndefined();
    expect(cipherHashMatches(event)).toBe(true);
  });

  test.each<[string, Partial<EncryptedPayload>]>([
    ["nonce", { nonce_b64u: toBase64Url(flipped(fromBase64Url(payload.nonce_b64u))) }],
    ["ciphertext", { ciphertext_b64u: toBase64Url(flipped(fromBase64Url(payload.ciphertext_b64u))) }],
    ["tag", { tag_b64u: toBase64Url(flipped(fromBase64Url(payload.tag_b64u))) }],
    ["recipient id", { recipients: withRecipient(0, { recipient_kid: 1 }) }],
    ["encapsulated key", { recipients: withRecipient(1, { enc_b64u: toBase64Url(new Uint8Array(32)) }) }],
    ["wrapped key", { recipients: withRecipient(2, { ct_b64u: toBase64Url(new Uint8Array(48)) }) }],
    ["number of recipients", { recipients: payload.recipients.slice(1) }],
    ["order of recipients", { recipients: payload.recipients.toReversed() }],
  ])("another %s has another hash", (_, change) => {
    expect(cipherHashMatches(base)).toBe(true);
    expect(cipherHashMatches({ ...base, payload_encrypted: { ...payload, ...change } })).toBe(false);
  });

  test("the ciphertext belongs to its event", () => {
    const changed = { ...base, entity_id: "WIDGET-002" };
    expect(cipherHashMatches(changed)).toBe(false);
    expect(cipherHashMatches({ ...base, payload_plain_hash: flipped(base.payload_plain_hash) })).toBe(false);
    // This layout's AAD leaves the version out.
    expect(cipherHashMatches({ ...base, ves_version: 2 })).toBe(true);
  });
});

describe("VES 4.1: the json layout", () => {
  /** The layout's formulas once more, over WebCrypto and plain concatenation. */
  async function jsonLayoutHash(event: typeof base): Promise<Uint8Array> {
    const text = (value: string): number[] => [...new TextEncoder().encode(value)];
    const word = (value: number): number[] => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
    const counted = (value: string): number[] => [...word(text(value).length), ...text(value)];
    const uuid = (value: string): number[] => [...fromHex(value.replaceAll("-", ""))];
    const digest = async (bytes: number[]): Promise<number[]> => [
      ...new Uint8Array(await crypto.subtle.digest("SHA-256", Uint8Array.from(bytes))),
    ];
    const aad = await digest([
      ...text("VES_PAYLOAD_AAD_V1"),
      ...word(event.ves_version),
      ...[event.tenant_id, event.store_id, event.event_id, event.source_agent_id].flatMap(uuid),
      ...word(event.agent_key_id),
      ...[event.entity_type, event.entity_id, event.event_type, event.created_at].flatMap(counted),
      ...event.payload_plain_hash,
    ]);
    const { nonce_b64u, ciphertext_b64u, tag_b64u, recipients } = event.payload_encrypted;
    const sorted = recipients.toSorted((a, b) => a.recipient_kid - b.recipient_kid) as unknown as JsonValue;
    const recipientsDigest = await digest([...text("VES_RECIPIENTS_V1"), ...text(canonicalJson(sorted))]);
    const hash = await digest([
      ...text("VES_PAYLOAD_CIPHER_V1"),
      ...fromBase64Url(nonce_b64u),
      ...aad,
      ...fromBase64Url(ciphertext_b64u),
      ...fromBase64Url(tag_b64u),
      ...recipientsDigest,
    ]);
    return Uint8Array.from(hash);
  }

  async function withJsonHash(event: typeof base): Promise<typeof base> {
    return { ...event, payload_cipher_hash: await jsonLayoutHash(event) };
  }

  const longKeys = payload.recipients.map((recipient) => ({
    ...recipient,
    ct_b64u: toBase64Url(new Uint8Array(60).fill(recipient.recipient_kid)),
    alg: "extra",
  }));

  test("is accepted with wrapped keys of 48 and of 60 bytes, in versions 1 and 2", async () => {
    for (const ves_version of [1, 2]) {
      for (const recipients of [payload.recipients, longKeys]) {
        const event = await withJsonHash({ ...base, ves_version, payload_encrypted: { ...payload, recipients } });
        expect(encryptedPayloadProblem(event.payload_encrypted)).toBeUndefined();
        expect(cipherHashMatches(event)).toBe(true);
        expect(cipherHashMatches({ ...event, ves_version: 3 - ves_version })).toBe(false);
        expect(cipherHashMatches({ ...event, payload_cipher_hash: flipped(event.payload_cipher_hash) })).toBe(false);
      }
    }
  });

  test("hashes unknown members of recipients, and they survive the schema", async () => {
    const recipients = longKeys.map((recipient) => ({ ...recipient, nested: { b: 1, a: [null] } }));
    const event = await withJsonHash({ ...base, payload_encrypted: { ...payload, recipients } });
    const read = encryptedPayloadSchema.parse(event.payload_encrypted);
    expect(cipherHashMatches({ ...event, payload_encrypted: read })).toBe(true);
    const stripped = { ...read, recipients: longKeys };
    expect(cipherHashMatches({ ...event, payload_encrypted: stripped })).toBe(false);
  });

  test("a wrapped key of 60 bytes does not pass under the binary layout", () => {
    const event = { ...base, payload_encrypted: { ...payload, recipients: longKeys } };
    const wrapped = longKeys.map(({ recipient_kid: kid, enc_b64u, ct_b64u }) => ({
      kid,
      enc: fromBase64Url(enc_b64u),
      ct: fromBase64Url(ct_b64u),
    }));
    const payload_cipher_hash = payloadCipherHash({
      nonce: fromBase64Url(payload.nonce_b64u),
      aad: payloadAad(event),
      ciphertext: fromBase64Url(payload.ciphertext_b64u),
      tag: fromBase64Url(payload.tag_b64u),
      recipientsHash: recipientsHash(wrapped),
    });
    expect(encryptedPayloadProblem(event.payload_encrypted)).toBeUndefined();
    expect(cipherHashMatches({ ...event, payload_cipher_hash })).toBe(false);
  });
});

describe("VES 4.1: structure", () => {
  const b64u = (length: number): string => toBase64Url(new Uint8Array(length));
  const hpke = payload.hpke;

  // In the order of the checks; each case also breaks every rule after its own.
  const cases: [string, Partial<EncryptedPayload>][] = [
    ["enc_version", { enc_version: 0 }],
    ["aead", { aead: "aes-256-gcm" }],
    ["hpke.mode", { hpke: { ...hpke, mode: "auth" } }],
    ["hpke.kem", { hpke: { ...hpke, kem: "x25519-hkdf-sha256" } }],
    ["hpke.kdf", { hpke: { ...hpke, kdf: "HKDF-SHA512" } }],
    ["hpke.aead", { hpke: { ...hpke, aead: "ChaCha20Poly1305" } }],
    ["nonce_b64u", { nonce_b64u: b64u(11) }],
    ["ciphertext_b64u", { ciphertext_b64u: "" }],
    ["tag_b64u", { tag_b64u: b64u(17) }],
    ["recipients", { recipients: payload.recipients.map((r) => ({ ...r, recipient_kid: 5 })) }],
    ["recipients.enc_b64u", { recipients: withRecipient(2, { enc_b64u: b64u(33) }) }],
    ["recipients.ct_b64u", { recipients: withRecipient(2, { ct_b64u: b64u(49) }) }],
  ];

  test.each(cases)("%s", (member, change) => {
    expect(encryptedPayloadProblem({ ...payload, ...change })).toMatchObject({
      reason: `schema_validation: payload_encrypted.${member}`,
    });
  });

  test("of several broken rules, the first of the order is named", () => {
    let broken: EncryptedPayload = payload;
    for (const [member, change] of cases.toReversed()) {
      const merged = change.hpke === undefined ? {} : { hpke: { ...broken.hpke, ...differing(change.hpke, hpke) } };
      broken = { ...broken, ...change, ...merged };
      expect(encryptedPayloadProblem(broken)?.reason).toBe(`schema_validation: payload_encrypted.${member}`);
    }
  });

  test.each<[string, Partial<EncryptedPayload>]>([
    ["enc_version", { enc_version: 4 }],
    ["nonce_b64u", { nonce_b64u: `${payload.nonce_b64u.slice(0, -1)}+` }],
    ["ciphertext_b64u", { ciphertext_b64u: "_x" }],
    ["recipients", { recipients: [] }],
    ["recipients", { recipients: payload.recipients.toReversed() }],
    ["recipients.enc_b64u", { recipients: withRecipient(0, { enc_b64u: "?" }) }],
    ["recipients.ct_b64u", { recipients: withRecipient(0, { ct_b64u: b64u(32) }) }],
  ])("also %s", (member, change) => {
    expect(encryptedPayloadProblem({ ...payload, ...change })?.reason).toBe(
      `schema_validation: payload_encrypted.${member}`,
    );
  });

  test.each<Partial<EncryptedPayload>>([
    { enc_version: 3 },
    { hpke: { ...hpke, mode: "pqc-base", kem: "mlkem768" } },
    { hpke: { ...hpke, mode: "hybrid-base", kem: "x25519+mlkem768" } },
    { tag_b64u: `${payload.tag_b64u}==` },
    { recipients: withRecipient(2, { ct_b64u: b64u(60) }) },
  ])("%j breaks no rule", (change) => {
    expect(encryptedPayloadProblem({ ...payload, ...change })).toBeUndefined();
  });

  test("the schema wants every member with its type", () => {
    const wire = payload as Record<string, unknown>;
    expect(encryptedPayloadSchema.safeParse(wire).success).toBe(true);
    for (const member of Object.keys(wire)) {
      const { [member]: _, ...rest } = wire;
      expect(encryptedPayloadSchema.safeParse(rest).success, `without ${member}`).toBe(false);
      expect(encryptedPayloadSchema.safeParse({ ...wire, [member]: true }).success, `${member}: true`).toBe(false);
    }
    for (const change of [{ recipient_kid: -1 }, { recipient_kid: 2 ** 32 }, { enc_b64u: 1 }, { ct_b64u: null }]) {
      expect(encryptedPayloadSchema.safeParse({ ...payload, recipients: withRecipient(0, change) }).success).toBe(
        false,
      );
    }
  });

  test("the schema keeps unknown members at every level", () => {
    const wire = {
      ...payload,
      extra: 1,
      hpke: { ...hpke, extra: { a: 1 } },
      recipients: withRecipient(1, { extra: [1, null] }),
    };
    expect(encryptedPayloadSchema.parse(wire)).toEqual(wire);
  });
});

/** The members of `changed` that are not as in `original`. */
function differing(changed: EncryptedPayload["hpke"], original: EncryptedPayload["hpke"]): object {
  return Object.fromEntries(Object.entries(changed).filter(([name, value]) => original[name] !== value));
}
