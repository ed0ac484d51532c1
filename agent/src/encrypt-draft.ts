import { canonicalJson, type JsonObject, MAX_PAYLOAD_BYTES } from "../../src/ves/index.ts";
import type { Draft } from "./draft.ts";
import { EncryptionError, encryptPayload } from "./encryption/index.ts";
import { AgentError } from "./errors.ts";

/**
 * The draft with its payload encrypted, where it has recipients. Nothing in it tells the payload then.
 *
 * @throws AgentError INVALID_EVENT for recipients that it cannot be encrypted to, or when it is too long
 */
export async function encryptDraft(draft: Draft, vesVersion: 1 | 2): Promise<Draft> {
  const { recipients } = draft;
  if (recipients === null) return draft;
  const { payload = null, ...members } = draft.members;
  const context = { ves_version: vesVersion, ...members };
  try {
    const encrypted = {
      ...members,
      ...(await encryptPayload({ payload, context, recipients })),
      payload_kind: 1 as const,
    };
    const bytes = canonicalJson(encrypted.payload_encrypted as JsonObject).length;
    if (bytes > MAX_PAYLOAD_BYTES) {
      const message = `expected at most ${MAX_PAYLOAD_BYTES} bytes as JSON, got ${bytes} once it is encrypted`;
      throw new AgentError("INVALID_EVENT", `payload: ${message}`);
    }
    return { ...draft, members: encrypted, canonicalPayload: null };
  } catch (error) {
    if (!(error instanceof EncryptionError)) throw error;
    throw new AgentError("INVALID_EVENT", `encryptTo: ${error.message}`, { cause: error });
  }
}
