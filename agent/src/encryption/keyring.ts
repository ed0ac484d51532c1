import type { Envelope, JsonValue } from "../../../src/ves/index.ts";
import { decryptPayload } from "./decrypt.ts";
import { EncryptionError } from "./errors.ts";

/** Private keys by kid. An agent keeps those that it has replaced for as long as it wants to read what was encrypted to them. */
export type EncryptionKeyring = ReadonlyMap<number, Uint8Array>;

/**
 * {@link decryptPayload} with the first key of the ring that the event is encrypted to.
 *
 * @throws EncryptionError as there; `not_a_recipient` when it is encrypted to none of them
 */
export async function decryptWithKeyring(envelope: Envelope, keyring: EncryptionKeyring): Promise<JsonValue> {
  for (const { recipient_kid: kid } of envelope.payload_encrypted?.recipients ?? []) {
    const privateKey = keyring.get(kid);
    if (privateKey !== undefined) return decryptPayload({ envelope, kid, privateKey });
  }
  if (envelope.payload_encrypted === undefined) {
    throw new EncryptionError("not_encrypted", "the event has no encrypted payload");
  }
  throw new EncryptionError("not_a_recipient", "the event is encrypted to none of these keys");
}
