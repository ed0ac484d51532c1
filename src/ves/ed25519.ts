import { concat } from "./bytes.ts";
import { fromBase64Url, fromHex, toHex } from "./encoding.ts";
import { VesError } from "./errors.ts";

/** A private key that can sign and cannot be read back. */
export interface SigningKey {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** The 64-byte signature; the same message always gives the same bytes (RFC 8032). */
  sign(message: Uint8Array): Promise<Uint8Array>;
}

const ALGORITHM = "Ed25519";
const PUBLIC_KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const SEED_BYTES = 32;

/** DER of an RFC 8410 private key, up to its seed. */
const PKCS8_PREFIX = fromHex("302e020100300506032b657004220420");

/** Enough for the agents that are active at one time on one isolate; a key takes well under a kilobyte. */
const MAX_IMPORTED_KEYS = 1024;

/** Imported keys by hex public key, least recently used first. */
const importedKeys = new Map<string, CryptoKey>();

/**
 * Whether `signature` is the key's Ed25519 signature over `message` (VES 3.1). The rules are those of WebCrypto: S must
 * be reduced, R canonical, the equation cofactorless; a small-order or non-canonical public key is not refused here,
 * because an event that was once sequenced must verify for ever (see `checkRegistrableKey`).
 *
 * Answers `false` for keys and signatures of any other length or shape; never throws.
 */
export async function verifyEd25519(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  if (publicKey.length !== PUBLIC_KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false;
  try {
    const key = await importPublicKey(publicKey);
    return await crypto.subtle.verify(ALGORITHM, key, signature, message);
  } catch {
    return false;
  }
}

/** Signing key for an RFC 8032 seed of 32 bytes. @throws VesError `invalid_length` */
export async function signingKeyFromSeed(seed: Uint8Array): Promise<SigningKey> {
  if (seed.length !== SEED_BYTES) throw new VesError("invalid_length", `a seed has 32 bytes, got ${seed.length}`);
  const pkcs8 = concat(PKCS8_PREFIX, seed);
  // WebCrypto derives the public key only on export, so a second, short-lived key is imported for that.
  const [exportable, privateKey] = await Promise.all([
    crypto.subtle.importKey("pkcs8", pkcs8, ALGORITHM, true, ["sign"]),
    crypto.subtle.importKey("pkcs8", pkcs8, ALGORITHM, false, ["sign"]),
  ]);
  const { x } = (await crypto.subtle.exportKey("jwk", exportable)) as { x?: string };
  return {
    publicKey: fromBase64Url(x ?? ""),
    sign: async (message) => new Uint8Array(await crypto.subtle.sign(ALGORITHM, privateKey, message)),
  };
}

/** A fresh random seed of 32 bytes. */
export function generateSeed(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(SEED_BYTES));
}

async function importPublicKey(publicKey: Uint8Array): Promise<CryptoKey> {
  const name = toHex(publicKey);
  const known = importedKeys.get(name);
  if (known !== undefined) {
    // Maps iterate in insertion order, so putting it back makes it the youngest.
    importedKeys.delete(name);
    importedKeys.set(name, known);
    return known;
  }
  const key = await crypto.subtle.importKey("raw", publicKey, ALGORITHM, false, ["verify"]);
  importedKeys.set(name, key);
  if (importedKeys.size > MAX_IMPORTED_KEYS) {
    const [oldest] = importedKeys.keys();
    if (oldest !== undefined) importedKeys.delete(oldest);
  }
  return key;
}
