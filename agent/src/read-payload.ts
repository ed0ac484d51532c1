import type { Envelope, JsonValue } from "../../src/ves/index.ts";
import {
  decryptWithKeyring,
  EncryptionError,
  type EncryptionErrorCode,
  type EncryptionKeyring,
} from "./encryption/index.ts";

/**
 * How an event's payload was come by.
 *
 * - `plain`: it is not encrypted
 * - `decrypted`: with a key of the agent's keyring
 * - `not_for_us`: it is encrypted to none of these keys
 * - `failed`: it is encrypted to one of them, and cannot be decrypted; `code` says at which check
 */
export type PayloadState =
  | { readonly kind: "plain" | "decrypted" | "not_for_us" }
  | { readonly kind: "failed"; readonly code: EncryptionErrorCode };

/** What is read of an event's payload. */
export interface ReadPayload {
  /** Null when it cannot be read. */
  readonly payload: JsonValue;
  readonly payloadState: PayloadState;
}

export async function readPayload(envelope: Envelope, keyring: EncryptionKeyring): Promise<ReadPayload> {
  if (envelope.payload_kind === 0) return { payload: envelope.payload ?? null, payloadState: { kind: "plain" } };
  try {
    const payload = await decryptWithKeyring(envelope, keyring);
    return { payload, payloadState: { kind: "decrypted" } };
  } catch (error) {
    if (!(error instanceof EncryptionError)) throw error;
    const { code } = error;
    return {
      payload: null,
      payloadState: code === "not_a_recipient" ? { kind: "not_for_us" } : { kind: "failed", code },
    };
  }
}
