import { ZERO_32, canonicalJson, eventSigningHash, payloadPlainHash, signingKeyFromSeed } from "../../src/ves/index.ts";
import type { Envelope, JsonValue, SigningKey } from "../../src/ves/index.ts";

/** A key pair that is the same in every run. */
export function fixedKey(fill: number): Promise<SigningKey> {
  return signingKeyFromSeed(new Uint8Array(32).fill(fill));
}

const PAYLOAD: JsonValue = { sku: "WIDGET-1", delta: 5 };

/** A plaintext event that breaks no rule, with a signature of zeros. */
export const SAMPLE: Envelope = {
  ves_version: 1,
  event_id: "861910c9-7a1d-4b6f-83d6-51bbf4ae2849",
  tenant_id: "64527dd3-a654-4410-9327-e58a1492ce77",
  store_id: "91def158-819a-4461-b5c9-7759750ad157",
  source_agent_id: "80441726-74e2-430a-95ae-97ce21c6351b",
  agent_key_id: 7,
  entity_type: "inventory",
  entity_id: "WIDGET-1",
  event_type: "inventory.adjusted",
  created_at: "2026-01-02T03:04:05.678Z",
  payload_kind: 0,
  payload: PAYLOAD,
  payload_plain_hash: payloadPlainHash(canonicalJson(PAYLOAD)),
  payload_cipher_hash: ZERO_32,
  agent_signature: new Uint8Array(64),
};

/** `envelope` with the signature of `key` over it. */
export async function signed(envelope: Envelope, key: SigningKey): Promise<Envelope> {
  return { ...envelope, agent_signature: await key.sign(eventSigningHash(envelope)) };
}

/** A copy with one bit flipped. */
export function flipped(bytes: Uint8Array, index = 0): Uint8Array {
  const copy = bytes.slice();
  copy[index] = (copy[index] ?? 0) ^ 1;
  return copy;
}
