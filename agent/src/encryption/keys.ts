import { concat, encryptionKid, fromHex } from "../../../src/ves/index.ts";
import { EncryptionError } from "./errors.ts";

/** A key that agents encrypt to, and its private half. */
export interface EncryptionKey {
  /** What events name the key by: {@link encryptionKid} of it, unless its owner chose another. */
  readonly kid: number;
  /** X25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** 32 secret bytes. Who overwrites them can read nothing any more that was encrypted to the key alone. */
  readonly privateKey: Uint8Array;
}

const ALGORITHM = "X25519";

/** DER of an RFC 8410 private key, up to its 32 bytes. */
const PKCS8_PREFIX = fromHex("302e020100300506032b656e04220420");

/** The u-coordinate 9: what a private key makes of it is its public key (RFC 7748). */
const BASE_POINT = Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 9 : 0));

/** A fresh random key. */
export async function generateEncryptionKey(): Promise<EncryptionKey> {
  const privateKey = crypto.getRandomValues(new Uint8Array(32));
  const publicKey = await encryptionPublicKey(privateKey);
  return { kid: encryptionKid(publicKey), publicKey, privateKey };
}

/** The 32-byte public key of a private one. @throws EncryptionError `invalid_private_key` */
export async function encryptionPublicKey(privateKey: Uint8Array): Promise<Uint8Array> {
  return agreedSecret(await importPrivateKey(privateKey), BASE_POINT);
}

/** The private key for WebCrypto, which does not give it back. @throws EncryptionError `invalid_private_key` */
export async function importPrivateKey(privateKey: Uint8Array): Promise<CryptoKey> {
  if (privateKey.length !== 32) {
    throw new EncryptionError("invalid_private_key", `an X25519 private key has 32 bytes, got ${privateKey.length}`);
  }
  const pkcs8 = concat(PKCS8_PREFIX, privateKey);
  try {
    return await crypto.subtle.importKey("pkcs8", pkcs8, ALGORITHM, false, ["deriveBits"]);
  } finally {
    pkcs8.fill(0);
  }
}

/** A public key of 32 bytes for WebCrypto. @throws DOMException for any other length */
export function importPublicKey(publicKey: Uint8Array): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", publicKey, ALGORITHM, true, []);
}

/** X25519, 32 bytes. @throws DOMException for a public key of small order, with which the secret is none */
export async function agreedSecret(privateKey: CryptoKey, publicKey: Uint8Array): Promise<Uint8Array> {
  const algorithm = { name: ALGORITHM, public: await importPublicKey(publicKey) };
  return new Uint8Array(await crypto.subtle.deriveBits(algorithm, privateKey, 256));
}
