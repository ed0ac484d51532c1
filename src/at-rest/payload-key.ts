import type { StreamRef } from "../stream-ref.ts";
import { taggedHash, toHex, utf8, uuidBytes, concat } from "../ves/index.ts";

/** Bytes of a key's id in front of every payload that is encrypted under it. */
export const KEY_ID_BYTES = 8;

/** Keys of streams that are kept ready, per key. Deriving one again takes less than a tenth of a millisecond. */
const MAX_STREAM_KEYS = 1_000;

const hashKeyId = taggedHash("STATESET_PAYLOAD_ATREST_KEY_ID_V1");
const STREAM_KEY_DOMAIN = utf8("STATESET_PAYLOAD_ATREST_STREAM_KEY_V1");

/** A key that payloads are encrypted under at rest. */
export interface PayloadKey {
  /** The first 8 bytes of a hash of the key, in hex. Says nothing about the key, and is stored and shown. */
  readonly id: string;
  /**
   * The AES key of one stream, derived from this one. A stream cannot hold enough events for two of its random nonces ever
   * to meet; all streams of a deployment together could.
   */
  readonly ofStream: (stream: StreamRef) => Promise<CryptoKey>;
}

/** @param bytes 32 of them */
export function payloadKey(bytes: Uint8Array): PayloadKey {
  // Derived keys and not promises of them: what one request has begun, another must not wait for.
  const derived = new Map<string, CryptoKey>();
  return {
    id: toHex(hashKeyId(bytes).subarray(0, KEY_ID_BYTES)),
    ofStream: async (stream) => {
      const name = `${stream.tenantId}/${stream.storeId}`;
      const known = derived.get(name);
      if (known !== undefined) return known;
      const key = await deriveStreamKey(bytes, stream);
      const [oldest] = derived.keys();
      if (oldest !== undefined && derived.size >= MAX_STREAM_KEYS) derived.delete(oldest);
      derived.set(name, key);
      return key;
    },
  };
}

async function deriveStreamKey(bytes: Uint8Array, { tenantId, storeId }: StreamRef): Promise<CryptoKey> {
  const base = await crypto.subtle.importKey("raw", bytes, "HKDF", false, ["deriveKey"]);
  const info = concat(STREAM_KEY_DOMAIN, uuidBytes(tenantId), uuidBytes(storeId));
  const parameters = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info };
  return crypto.subtle.deriveKey(parameters, base, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}
