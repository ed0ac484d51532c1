import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from "@hpke/core";
import { agreedSecret, encryptionPublicKey, importPrivateKey, importPublicKey } from "./keys.ts";

/** The suite of VES 4.1: HPKE (RFC 9180) 0x0020, 0x0001, 0x0002, in base mode. */
export const suite = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
});

/** Length of a content key that is wrapped by HPKE: 32 bytes and their tag. */
const HPKE_CT_BYTES = 48;

/** A content key as one recipient gets it. `enc` 32 bytes; `ct` 48, or 60 in the other agents' form. */
export interface WrappedContentKey {
  readonly enc: Uint8Array;
  readonly ct: Uint8Array;
}

/**
 * Wraps a content key of 32 bytes to a public key, bound to an event by its AAD: that is the info, and HPKE's own AAD is
 * empty (VES 4.1).
 *
 * @param ephemeralKey for published vectors; a random one unless given
 * @throws whatever HPKE throws for a public key that nothing can be agreed on with
 */
export async function wrapContentKey(
  contentKey: Uint8Array,
  publicKey: Uint8Array,
  aad: Uint8Array,
  ephemeralKey?: CryptoKeyPair,
): Promise<WrappedContentKey> {
  const recipientPublicKey = await importPublicKey(publicKey);
  const ekm = ephemeralKey === undefined ? {} : { ekm: ephemeralKey };
  const { enc, ct } = await suite.seal({ recipientPublicKey, info: aad, ...ekm }, contentKey);
  return { enc: new Uint8Array(enc), ct: new Uint8Array(ct) };
}

/**
 * Opens what {@link wrapContentKey} gave, or what agents make that agree on a key without HPKE: their wrapped key is 12
 * bytes longer. 32 bytes unless its sender wrapped something else.
 *
 * @throws EncryptionError `invalid_private_key`, or whatever WebCrypto or HPKE throws when it does not open
 */
export async function unwrapContentKey(
  { enc, ct }: WrappedContentKey,
  privateKey: Uint8Array,
  aad: Uint8Array,
): Promise<Uint8Array> {
  const key = await importPrivateKey(privateKey);
  if (ct.length !== HPKE_CT_BYTES) return unwrapPlainAgreement({ enc, ct }, key, aad);
  const publicKey = await importPublicKey(await encryptionPublicKey(privateKey));
  const recipientKey = { privateKey: key, publicKey };
  return new Uint8Array(await suite.open({ recipientKey, enc, info: aad }, ct));
}

/**
 * The form of 60 bytes: nonce (12), ciphertext (32), tag (16) of AES-256-GCM under HKDF-SHA256 of the agreed secret, without a
 * salt and with the AAD as its info.
 */
async function unwrapPlainAgreement(
  { enc, ct }: WrappedContentKey,
  privateKey: CryptoKey,
  aad: Uint8Array,
): Promise<Uint8Array> {
  const secret = await agreedSecret(privateKey, enc);
  const material = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveKey"]);
  secret.fill(0);
  const hkdf = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info: aad };
  const key = await crypto.subtle.deriveKey(hkdf, material, { name: "AES-GCM", length: 256 }, false, ["decrypt"]);
  const gcm = { name: "AES-GCM", iv: ct.subarray(0, 12) };
  return new Uint8Array(await crypto.subtle.decrypt(gcm, key, ct.subarray(12)));
}
