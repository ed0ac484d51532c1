import { createCipheriv, createPublicKey, diffieHellman, generateKeyPairSync, hkdfSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { decryptPayload, type EncryptionKey, generateEncryptionKey } from "../../../agent/src/encryption/index.ts";
import { wrapContentKey } from "../../../agent/src/encryption/key-wrap.ts";
import {
  concat,
  encryptedPayloadHash,
  type EncryptionLayout,
  type Envelope,
  payloadAad,
  payloadPlainHash,
  toBase64Url,
  utf8,
  ZERO_32,
} from "../../../src/ves/index.ts";
import { SAMPLE } from "../../conformance/samples.ts";

/*
 * Events as other agents encrypt them, soundly and not: made here with node:crypto, from the formulas.
 */

const SALT = new Uint8Array(16).fill(5);
const CANONICAL = '{"a":1,"ü":[null]}';

/** A content key wrapped without HPKE: in 60 bytes. */
function wrapPlainly(contentKey: Uint8Array, publicKey: Uint8Array, aad: Uint8Array) {
  const ephemeral = generateKeyPairSync("x25519");
  const spki = concat(Buffer.from("302a300506032b656e032100", "hex"), publicKey);
  const recipient = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
  const secret = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: recipient });
  const key = new Uint8Array(hkdfSync("sha256", secret, new Uint8Array(0), aad, 32));
  const cipher = createCipheriv("aes-256-gcm", key, new Uint8Array(12).fill(3));
  const body = concat(cipher.update(contentKey), cipher.final());
  const ct = concat(new Uint8Array(12).fill(3), body, cipher.getAuthTag());
  return { enc: new Uint8Array(ephemeral.publicKey.export({ format: "der", type: "spki" }).subarray(-32)), ct };
}

interface Options {
  readonly layout?: EncryptionLayout;
  readonly isPlainWrap?: boolean;
  /** What is hashed, where that is not what is encrypted. */
  readonly hashed?: string;
  readonly contentKey?: Uint8Array;
}

/** An event whose plaintext is these very bytes. */
async function eventOf(plaintext: Uint8Array, recipient: EncryptionKey, options: Options = {}): Promise<Envelope> {
  const { layout = "binary", contentKey = new Uint8Array(32).fill(9) } = options;
  const { payload: _, ...sample } = SAMPLE;
  const context = { ...sample, payload_plain_hash: payloadPlainHash(options.hashed ?? CANONICAL, SALT) };
  const aad = payloadAad(context, layout);
  const cipher = createCipheriv("aes-256-gcm", new Uint8Array(32).fill(9), new Uint8Array(12));
  cipher.setAAD(aad);
  const ciphertext = concat(cipher.update(plaintext), cipher.final());
  const { enc, ct } =
    options.isPlainWrap === true
      ? wrapPlainly(contentKey, recipient.publicKey, aad)
      : await wrapContentKey(contentKey, recipient.publicKey, aad);
  const event = {
    ...context,
    payload_kind: 1 as const,
    payload_encrypted: {
      enc_version: 1,
      aead: "AES-256-GCM",
      nonce_b64u: toBase64Url(new Uint8Array(12)),
      ciphertext_b64u: toBase64Url(ciphertext),
      tag_b64u: toBase64Url(new Uint8Array(cipher.getAuthTag())),
      hpke: { mode: "base", kem: "X25519-HKDF-SHA256", kdf: "HKDF-SHA256", aead: "AES-256-GCM" },
      recipients: [{ recipient_kid: recipient.kid, enc_b64u: toBase64Url(enc), ct_b64u: toBase64Url(ct) }],
    },
  };
  return { ...event, payload_cipher_hash: encryptedPayloadHash(event, layout) ?? ZERO_32 };
}

const content = (text: string): Uint8Array => concat(SALT, utf8(text));

describe("events of other agents", () => {
  test.each<[string, Options]>([
    ["the binary layout", {}],
    ["the JSON layout", { layout: "json" }],
    ["the JSON layout with keys that are wrapped without HPKE", { layout: "json", isPlainWrap: true }],
  ])("%s is read", async (_, options) => {
    const key = await generateEncryptionKey();
    const envelope = await eventOf(content(CANONICAL), key, options);
    expect(await decryptPayload({ envelope, ...key })).toEqual({ a: 1, ü: [null] });
    const other = await generateEncryptionKey();
    await expect(decryptPayload({ envelope, ...other, kid: key.kid })).rejects.toMatchObject({
      code: "key_unwrap_failed",
    });
  });

  test("text that is not canonical is read, because what it stands for is hashed", async () => {
    const key = await generateEncryptionKey();
    const envelope = await eventOf(content('{ "ü" : [ null ],\n "a" : 1.0 }'), key);
    expect(await decryptPayload({ envelope, ...key })).toEqual({ a: 1, ü: [null] });
  });
});

describe("what is wrong inside names the check that found it", () => {
  test.each<[string, Uint8Array, Options, string]>([
    ["15 bytes", new Uint8Array(15), {}, "plaintext_too_short"],
    ["a salt alone", SALT, {}, "plaintext_not_json"],
    ["no JSON", content("Karla"), {}, "plaintext_not_json"],
    ["JSON that other readers read differently", content('{"a":1e999}'), {}, "plaintext_not_json"],
    ["no UTF-8", concat(SALT, Uint8Array.of(0x22, 0xff, 0x22)), {}, "plaintext_not_json"],
    ["a byte order mark", content("\ufeff{}"), { hashed: "{}" }, "plaintext_not_json"],
    ["another content than was hashed", content('{"a":2}'), {}, "plain_hash_mismatch"],
    ["another salt than was hashed", concat(new Uint8Array(16), utf8(CANONICAL)), {}, "plain_hash_mismatch"],
    ["a key of 16 bytes", content(CANONICAL), { contentKey: new Uint8Array(16) }, "malformed"],
    ["another content key", content(CANONICAL), { contentKey: new Uint8Array(32) }, "content_decryption_failed"],
  ])("%s", async (_, plaintext, options, code) => {
    const key = await generateEncryptionKey();
    const envelope = await eventOf(plaintext, key, options);
    const error: unknown = await decryptPayload({ envelope, ...key }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: "EncryptionError", code });
    expect((error as Error).cause).toBeUndefined();
    expect((error as Error).message).not.toContain("Karla");
  });
});
