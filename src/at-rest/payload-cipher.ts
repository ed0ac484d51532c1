import type { StreamRef } from "../stream-ref.ts";
import { concat, type Envelope, equalBytes, fromHex, str, taggedHash, toHex, utf8, uuidBytes } from "../ves/index.ts";
import { KEY_ID_BYTES, type PayloadKey } from "./payload-key.ts";

/*
 * An encrypted payload: SSE2 ‖ key id (8) ‖ nonce (12) ‖ ciphertext ‖ tag (16), AES-256-GCM over the canonical text.
 */

/** What such a payload begins with. */
export const PAYLOAD_MAGIC: Uint8Array = utf8("SSE2");

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const NONCE_START = PAYLOAD_MAGIC.length + KEY_ID_BYTES;
const CIPHERTEXT_START = NONCE_START + NONCE_BYTES;

/** How much longer a payload is when it is encrypted. */
export const ENCRYPTION_BYTES = CIPHERTEXT_START + TAG_BYTES;

const hashAad = taggedHash("STATESET_PAYLOAD_ATREST_AAD_V2");

/** The members of an event that its encrypted payload is bound to, beside its stream. */
export type PayloadOwner = Pick<Envelope, "event_id" | "entity_type" | "entity_id" | "event_type" | "payload_kind">;

/** Encrypts a payload for its event. Its number is not bound: it is not known yet. */
export async function encryptPayload(
  key: PayloadKey,
  stream: StreamRef,
  event: PayloadOwner,
  text: string,
): Promise<Uint8Array> {
  const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
  const sealed = await crypto.subtle.encrypt(gcm(nonce, stream, event), await key.ofStream(stream), bytes(utf8(text)));
  return concat(payloadPrefix(key.id), nonce, new Uint8Array(sealed));
}

/** The text of an encrypted payload; null when it is not what was encrypted under this key for this event. */
export async function decryptPayload(
  key: PayloadKey,
  stream: StreamRef,
  event: PayloadOwner,
  payload: Uint8Array,
): Promise<string | null> {
  if (keyIdOf(payload) !== key.id) return null;
  const nonce = payload.subarray(NONCE_START, CIPHERTEXT_START);
  const sealed = payload.subarray(CIPHERTEXT_START);
  try {
    const text = await crypto.subtle.decrypt(gcm(nonce, stream, event), await key.ofStream(stream), bytes(sealed));
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(text);
  } catch {
    // WebCrypto says no more than that it failed.
    return null;
  }
}

/** The id of the key that a payload is encrypted under; null for bytes that are no encrypted payload. */
export function keyIdOf(payload: Uint8Array): string | null {
  const isPayload =
    payload.length >= ENCRYPTION_BYTES && equalBytes(payload.subarray(0, PAYLOAD_MAGIC.length), PAYLOAD_MAGIC);
  return isPayload ? toHex(payload.subarray(PAYLOAD_MAGIC.length, NONCE_START)) : null;
}

/** What every payload that is encrypted under a key begins with. */
export function payloadPrefix(keyId: string): Uint8Array {
  return concat(PAYLOAD_MAGIC, fromHex(keyId, KEY_ID_BYTES));
}

function gcm(nonce: Uint8Array, stream: StreamRef, event: PayloadOwner) {
  return { name: "AES-GCM", iv: bytes(nonce), additionalData: bytes(aad(stream, event)), tagLength: 8 * TAG_BYTES };
}

function aad({ tenantId, storeId }: StreamRef, event: PayloadOwner): Uint8Array {
  return hashAad(
    uuidBytes(tenantId),
    uuidBytes(storeId),
    uuidBytes(event.event_id),
    str(event.entity_type),
    str(event.entity_id),
    str(event.event_type),
    Uint8Array.of(event.payload_kind),
  );
}

/** As WebCrypto's types want it: none of ours is over shared memory. */
function bytes(array: Uint8Array): Uint8Array<ArrayBuffer> {
  return array as Uint8Array<ArrayBuffer>;
}
