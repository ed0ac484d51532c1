import type { StreamRef } from "../stream-ref.ts";
import { decryptPayload, keyIdOf, type PayloadOwner } from "./payload-cipher.ts";
import type { PayloadKeyring } from "./payload-keyrings.ts";
import type { StoredPayload } from "./stored-payload.ts";

/** Why a stored payload is not read. */
export type PayloadProblem =
  /** It is encrypted under a key that is not in the keyring. */
  | { readonly kind: "missing_key"; readonly keyId: string }
  /** It is not what was encrypted for this event. */
  | { readonly kind: "altered" }
  /** It is stored as text, and the keyring reads no text. */
  | { readonly kind: "text" };

export type OpenedPayload = { readonly kind: "opened"; readonly text: string } | PayloadProblem;

/** The canonical text of a stored payload. */
export async function openPayload(
  keyring: PayloadKeyring,
  stream: StreamRef,
  event: PayloadOwner,
  payload: StoredPayload,
): Promise<OpenedPayload> {
  if (typeof payload === "string") return keyring.readsText ? { kind: "opened", text: payload } : { kind: "text" };
  const keyId = keyIdOf(payload);
  if (keyId === null) return { kind: "altered" };
  const key = keyring.keys.get(keyId);
  if (key === undefined) return { kind: "missing_key", keyId };
  const text = await decryptPayload(key, stream, event, payload);
  return text === null ? { kind: "altered" } : { kind: "opened", text };
}

const TEXT_REFUSED =
  "its payload is stored unencrypted, which PAYLOAD_ENCRYPTION_MODE required does not read: set it to optional and run npm run admin -- reencrypt";

/** What is wrong and what would help, as a clause for operators. */
export function payloadProblemText(problem: PayloadProblem): string {
  if (problem.kind === "missing_key") {
    return `its payload is encrypted under key ${problem.keyId}, which is not configured`;
  }
  return problem.kind === "altered" ? "its payload is not what was encrypted for it" : TEXT_REFUSED;
}
