import { describe, expect, test } from "vitest";
import { Aes128Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from "@hpke/core";
import { decryptPayload } from "../../agent/src/encryption/decrypt.ts";
import { encryptWith } from "../../agent/src/encryption/encrypt.ts";
import { agreedSecret, encryptionPublicKey, importPrivateKey } from "../../agent/src/encryption/keys.ts";
import { type EncryptedPayload, type EventIdentity, fromHex, parseJson, toHex, utf8 } from "../../src/ves/index.ts";
import { SAMPLE } from "./samples.ts";
import { group } from "./vectors.ts";

interface Input {
  readonly context: EventIdentity;
  readonly payload_json: string;
  readonly salt_hex: string;
  readonly dek_hex: string;
  readonly nonce_hex: string;
  readonly recipients: readonly {
    readonly kid: number;
    readonly secret_key_hex: string;
    readonly public_key_hex: string;
    readonly hpke_ephemeral_secret_key_hex: string;
  }[];
}

interface Expected {
  readonly payload_plain_hash: string;
  readonly payload_cipher_hash: string;
  readonly payload_encrypted: EncryptedPayload;
}

/** A key pair for HPKE, of which the public half can be read. */
async function keyPair(privateKeyHex: string): Promise<CryptoKeyPair> {
  const privateKey = fromHex(privateKeyHex);
  const publicKey = await encryptionPublicKey(privateKey);
  return {
    privateKey: await importPrivateKey(privateKey),
    publicKey: await crypto.subtle.importKey("raw", publicKey, "X25519", true, []),
  };
}

describe("RFC 9180, A.1.1: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM, base mode", () => {
  const info = fromHex("4f6465206f6e2061204772656369616e2055726e");
  const enc = fromHex("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431");
  const ephemeral = "52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736";
  const recipient = "4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8";
  const plaintext = fromHex("4265617574792069732074727574682c20747275746820626561757479");
  const ct = "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a";
  const suite = new CipherSuite({
    kem: new DhkemX25519HkdfSha256(),
    kdf: new HkdfSha256(),
    aead: new Aes128Gcm(),
  });

  test("the public keys are those of the private ones", async () => {
    expect(toHex(await encryptionPublicKey(fromHex(ephemeral)))).toBe(toHex(enc));
    expect(toHex(await encryptionPublicKey(fromHex(recipient)))).toBe(
      "3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d",
    );
  });

  test("seals", async () => {
    const { publicKey } = await keyPair(recipient);
    const context = await suite.createSenderContext({
      recipientPublicKey: publicKey,
      info,
      ekm: await keyPair(ephemeral),
    });
    expect(toHex(new Uint8Array(context.enc))).toBe(toHex(enc));
    expect(toHex(new Uint8Array(await context.seal(plaintext, utf8("Count-0"))))).toBe(ct);
  });

  test("opens", async () => {
    const context = await suite.createRecipientContext({ recipientKey: await keyPair(recipient), enc, info });
    expect(new Uint8Array(await context.open(fromHex(ct), utf8("Count-0")))).toEqual(plaintext);
  });
});

describe("VES 4.1: encryption and decryption", () => {
  test.each(group<Input, Expected>("ves_enc_1"))("$id", async ({ input, expected }) => {
    const ephemeralKeys = new Map<number, CryptoKeyPair>();
    for (const { kid, hpke_ephemeral_secret_key_hex } of input.recipients) {
      ephemeralKeys.set(kid, await keyPair(hpke_ephemeral_secret_key_hex));
    }
    const recipients = input.recipients.map(({ kid, public_key_hex }) => ({ kid, publicKey: fromHex(public_key_hex) }));
    const contentKey = fromHex(input.dek_hex);
    const payload = parseJson(input.payload_json);
    const encrypted = await encryptWith(
      { payload, context: input.context, recipients },
      { salt: fromHex(input.salt_hex), contentKey, nonce: fromHex(input.nonce_hex), ephemeralKeys },
    );
    expect(encrypted.payload_encrypted).toEqual(expected.payload_encrypted);
    expect(toHex(encrypted.payload_plain_hash)).toBe(expected.payload_plain_hash);
    expect(toHex(encrypted.payload_cipher_hash)).toBe(expected.payload_cipher_hash);
    expect(contentKey).toEqual(new Uint8Array(32));

    const { payload: _, ...unencrypted } = SAMPLE;
    const envelope = { ...unencrypted, ...input.context, ...encrypted, payload_kind: 1 as const };
    for (const { kid, secret_key_hex } of input.recipients) {
      expect(await decryptPayload({ envelope, kid, privateKey: fromHex(secret_key_hex) })).toEqual(payload);
    }
  });

  test("a public key of small order agrees on nothing, in this runtime too", async () => {
    const key = await importPrivateKey(new Uint8Array(32).fill(7));
    for (const low of ["00".repeat(32), `01${"00".repeat(31)}`, `ec${"ff".repeat(30)}7f`]) {
      await expect(agreedSecret(key, fromHex(low))).rejects.toMatchObject({ name: "OperationError" });
    }
  });
});
