import {
  canonicalJson,
  concat,
  encryptedPayloadHash,
  type EncryptedPayload,
  type EventIdentity,
  type JsonValue,
  payloadAad,
  payloadPlainHash,
  toBase64Url,
  utf8,
  ZERO_32,
} from "../../../src/ves/index.ts";
import { EncryptionError } from "./errors.ts";
import { wrapContentKey } from "./key-wrap.ts";

/** Whom a payload is encrypted to. */
export interface Recipient {
  /** A u32, one key's only among a tenant's agents. */
  readonly kid: number;
  /** X25519, 32 bytes. */
  readonly publicKey: Uint8Array;
}

/** What is encrypted, and for which event: `context` is that event without its payload, as it is going to be signed. */
export interface Encryption {
  readonly payload: JsonValue;
  readonly context: EventIdentity;
  readonly recipients: readonly Recipient[];
}

/** The members of an event that its encrypted payload decides. Its `payload_kind` is 1. */
export interface EncryptedMembers {
  readonly payload_encrypted: EncryptedPayload;
  readonly payload_plain_hash: Uint8Array;
  readonly payload_cipher_hash: Uint8Array;
}

/** What must be random, and never the same for two payloads. `salt` 16 bytes, `contentKey` 32, `nonce` 12. */
export interface Randomness {
  readonly salt: Uint8Array;
  readonly contentKey: Uint8Array;
  readonly nonce: Uint8Array;
  /** By kid; a fresh one where there is none. */
  readonly ephemeralKeys?: ReadonlyMap<number, CryptoKeyPair>;
}

/** 163 bytes of JSON and about half a millisecond of X25519 each: at most 42 KB and an eighth of a second for an event. */
export const MAX_RECIPIENTS = 256;

const MAX_KID = 2 ** 32 - 1;
const TAG_BYTES = 16;

/**
 * Encrypts a payload to its recipients (VES 4.1), each of whom can read all of it, and nobody else, the sequencer included.
 * Entity, event type, times and agents stay readable. Recipients do not learn from this who encrypted: the event's
 * signature says so.
 *
 * @throws EncryptionError `invalid_recipients`
 * @throws VesError `not_canonicalizable` for a payload that JSON cannot hold, or as {@link payloadAad} for the context
 */
export function encryptPayload(encryption: Encryption): Promise<EncryptedMembers> {
  const random = (bytes: number): Uint8Array => crypto.getRandomValues(new Uint8Array(bytes));
  return encryptWith(encryption, { salt: random(16), contentKey: random(32), nonce: random(12) });
}

/** {@link encryptPayload} with randomness that is given, for published vectors. Overwrites the content key. */
export async function encryptWith(
  { payload, context, recipients }: Encryption,
  { salt, contentKey, nonce, ephemeralKeys }: Randomness,
): Promise<EncryptedMembers> {
  checkRecipients(recipients);
  const canonical = canonicalJson(payload);
  const payload_plain_hash = payloadPlainHash(canonical, salt);
  const aad = payloadAad({ ...context, payload_plain_hash });
  const plaintext = concat(salt, utf8(canonical));
  try {
    const sealed = await sealContent(plaintext, contentKey, nonce, aad);
    const wrapped = recipients
      .toSorted((a, b) => a.kid - b.kid)
      .map((recipient) => wrapFor(recipient, contentKey, aad, ephemeralKeys?.get(recipient.kid)));
    const payload_encrypted: EncryptedPayload = {
      enc_version: 1,
      aead: "AES-256-GCM",
      nonce_b64u: toBase64Url(nonce),
      ciphertext_b64u: toBase64Url(sealed.subarray(0, -TAG_BYTES)),
      tag_b64u: toBase64Url(sealed.subarray(-TAG_BYTES)),
      hpke: { mode: "base", kem: "X25519-HKDF-SHA256", kdf: "HKDF-SHA256", aead: "AES-256-GCM" },
      recipients: await Promise.all(wrapped),
    };
    const event = { ...context, payload_plain_hash, payload_encrypted };
    return {
      payload_encrypted,
      payload_plain_hash,
      payload_cipher_hash: encryptedPayloadHash(event, "binary") ?? ZERO_32,
    };
  } finally {
    contentKey.fill(0);
    plaintext.fill(0);
  }
}

function checkRecipients(recipients: readonly Recipient[]): void {
  if (recipients.length === 0 || recipients.length > MAX_RECIPIENTS) {
    throw invalidRecipients(`expected 1 to ${MAX_RECIPIENTS} recipients, got ${recipients.length}`);
  }
  const kids = new Set<number>();
  for (const { kid, publicKey } of recipients) {
    if (!Number.isInteger(kid) || kid < 0 || kid > MAX_KID) throw invalidRecipients(`${kid} is not a kid`);
    if (kids.has(kid)) throw invalidRecipients(`two recipients have the kid ${kid}`);
    if (publicKey.length !== 32) throw invalidRecipients(`the key ${kid} has ${publicKey.length} bytes instead of 32`);
    kids.add(kid);
  }
}

async function sealContent(
  plaintext: Uint8Array,
  contentKey: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
): Promise<Uint8Array> {
  const key = await crypto.subtle.importKey("raw", contentKey, "AES-GCM", false, ["encrypt"]);
  const gcm = { name: "AES-GCM", iv: nonce, additionalData: aad };
  return new Uint8Array(await crypto.subtle.encrypt(gcm, key, plaintext));
}

async function wrapFor(
  { kid, publicKey }: Recipient,
  contentKey: Uint8Array,
  aad: Uint8Array,
  ephemeralKey: CryptoKeyPair | undefined,
): Promise<EncryptedPayload["recipients"][number]> {
  try {
    const { enc, ct } = await wrapContentKey(contentKey, publicKey, aad, ephemeralKey);
    return { recipient_kid: kid, enc_b64u: toBase64Url(enc), ct_b64u: toBase64Url(ct) };
  } catch {
    throw invalidRecipients(`nothing can be encrypted to the key ${kid}`);
  }
}

function invalidRecipients(message: string): EncryptionError {
  return new EncryptionError("invalid_recipients", message);
}
