import {
  canonicalJson,
  concat,
  encryptedPayloadHash,
  encryptedPayloadProblem,
  type EncryptedEvent,
  type EncryptedPayload,
  type EncryptionLayout,
  type Envelope,
  equalBytes,
  fromBase64Url,
  type JsonValue,
  parseJson,
  payloadAad,
  payloadPlainHash,
} from "../../../src/ves/index.ts";
import { EncryptionError } from "./errors.ts";
import { unwrapContentKey } from "./key-wrap.ts";

/** An event to be read, and the recipient who reads it. */
export interface Decryption {
  readonly envelope: Envelope;
  /** Which of the event's recipients the private key is of. */
  readonly kid: number;
  /** X25519, 32 bytes. */
  readonly privateKey: Uint8Array;
}

const SALT_BYTES = 16;

/**
 * The payload of an encrypted event (VES 4.1), in either layout. What comes back is what the event's hashes name: every
 * recipient who can read it reads the same. Whether those hashes are the agent's own says the event's signature, which is
 * not looked at here.
 *
 * @throws EncryptionError one of those of decrypting, or `invalid_private_key`
 */
export async function decryptPayload({ envelope, kid, privateKey }: Decryption): Promise<JsonValue> {
  const event = encryptedEventOf(envelope);
  const { payload_encrypted: payload } = event;
  const aad = payloadAad(event, layoutOf(event, envelope.payload_cipher_hash));
  const recipient = payload.recipients.find(({ recipient_kid }) => recipient_kid === kid);
  if (recipient === undefined) throw new EncryptionError("not_a_recipient", `the event is not encrypted to key ${kid}`);
  const contentKey = await contentKeyOf(recipient, privateKey, aad);
  let plaintext: Uint8Array;
  try {
    plaintext = await openContent(payload, contentKey, aad);
  } finally {
    contentKey.fill(0);
  }
  try {
    return payloadOf(plaintext, event.payload_plain_hash);
  } finally {
    plaintext.fill(0);
  }
}

function encryptedEventOf(envelope: Envelope): EncryptedEvent {
  const payload = envelope.payload_encrypted;
  if (envelope.payload_kind !== 1 || payload === undefined) {
    throw new EncryptionError("not_encrypted", "the event has no encrypted payload");
  }
  const problem = encryptedPayloadProblem(payload);
  if (problem !== undefined) throw new EncryptionError("malformed", problem.message);
  const { mode, kem } = payload.hpke;
  // Versions 2 and 3 and the other names have a place in the form, and nothing that could be decrypted.
  if (payload.enc_version !== 1 || mode !== "base" || kem !== "X25519-HKDF-SHA256") {
    throw new EncryptionError("unsupported_suite", `version ${payload.enc_version}, mode ${mode}, KEM ${kem}`);
  }
  return { ...envelope, payload_encrypted: payload };
}

/** The layout under which the payload has the hash that was signed. */
function layoutOf(event: EncryptedEvent, cipherHash: Uint8Array): EncryptionLayout {
  for (const layout of ["binary", "json"] as const) {
    const hash = encryptedPayloadHash(event, layout);
    if (hash !== undefined && equalBytes(hash, cipherHash)) return layout;
  }
  throw new EncryptionError("cipher_hash_mismatch", "the encrypted payload does not have the event's cipher hash");
}

async function contentKeyOf(
  { enc_b64u, ct_b64u }: EncryptedPayload["recipients"][number],
  privateKey: Uint8Array,
  aad: Uint8Array,
): Promise<Uint8Array> {
  const wrapped = { enc: fromBase64Url(enc_b64u), ct: fromBase64Url(ct_b64u) };
  try {
    return await unwrapContentKey(wrapped, privateKey, aad);
  } catch (error) {
    if (error instanceof EncryptionError) throw error;
    throw new EncryptionError("key_unwrap_failed", "the content key does not open with this private key");
  }
}

async function openContent(
  payload: EncryptedPayload,
  contentKey: Uint8Array,
  additionalData: Uint8Array,
): Promise<Uint8Array> {
  const sealed = concat(fromBase64Url(payload.ciphertext_b64u), fromBase64Url(payload.tag_b64u));
  const gcm = { name: "AES-GCM", iv: fromBase64Url(payload.nonce_b64u), additionalData };
  try {
    const key = await crypto.subtle.importKey("raw", contentKey, "AES-GCM", false, ["decrypt"]);
    return new Uint8Array(await crypto.subtle.decrypt(gcm, key, sealed));
  } catch {
    throw new EncryptionError("content_decryption_failed", "the content does not open with the content key");
  }
}

/** Reads `salt ‖ JSON`. The text need not be canonical: what it stands for is hashed. */
function payloadOf(plaintext: Uint8Array, plainHash: Uint8Array): JsonValue {
  if (plaintext.length < SALT_BYTES) {
    throw new EncryptionError("plaintext_too_short", `a salt of ${SALT_BYTES} bytes does not fit into the plaintext`);
  }
  const salt = plaintext.subarray(0, SALT_BYTES);
  const payload = parseContent(plaintext.subarray(SALT_BYTES));
  if (!equalBytes(payloadPlainHash(canonicalJson(payload), salt), plainHash)) {
    throw new EncryptionError("plain_hash_mismatch", "the content does not have the event's plain hash");
  }
  return payload;
}

function parseContent(json: Uint8Array): JsonValue {
  try {
    return parseJson(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(json));
  } catch {
    // The parser's message shows what it stumbled over, which is content.
    throw new EncryptionError("plaintext_not_json", "the content is not a JSON text");
  }
}
