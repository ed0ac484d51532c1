import { canonicalJson, type Envelope, newUuidV7, payloadPlainHash, ZERO_32 } from "../../src/ves/index.ts";
import { type Context, transaction } from "./context.ts";
import type { Draft } from "./draft.ts";
import { decryptWithKeyring, EncryptionError, type Recipient } from "./encryption/index.ts";
import { AgentError } from "./errors.ts";
import { recipientOf } from "./known-recipients.ts";

/**
 * The draft of an own event that was signed before, to be signed again under a new id and for the present version, with the key that
 * the agent has now. A payload is encrypted for one event only, so an encrypted one is decrypted, and encrypted anew to the same
 * keys as before.
 *
 * @throws AgentError CANNOT_ENCRYPT_ANEW when it is encrypted to no key of the agent, or when a recipient's key is not known
 */
export async function draftAgain(context: Context, envelope: Envelope): Promise<Draft> {
  const { agent_signature: _signature, base_version: _version, ves_version: _ves, ...signed } = envelope;
  const members = { ...signed, event_id: newUuidV7(), agent_key_id: context.identity.keyId };
  const { payload_encrypted: encrypted, ...open } = members;
  if (encrypted === undefined) {
    const canonicalPayload = canonicalJson(envelope.payload ?? null);
    return { members, baseVersion: "current", canonicalPayload, recipients: null };
  }
  const payload = await ownPayload(context, envelope);
  const canonicalPayload = canonicalJson(payload);
  const hashes = { payload_plain_hash: payloadPlainHash(canonicalPayload), payload_cipher_hash: ZERO_32 };
  return {
    members: { ...open, payload, payload_kind: 0, ...hashes },
    baseVersion: "current",
    canonicalPayload,
    recipients: recipientsAgain(context, envelope.event_id, encrypted.recipients),
  };
}

async function ownPayload({ encryption }: Context, envelope: Envelope) {
  try {
    return await decryptWithKeyring(envelope, encryption.keyring);
  } catch (error) {
    if (!(error instanceof EncryptionError)) throw error;
    throw cannot(envelope.event_id, `cannot be decrypted with this agent's keys (${error.message})`, error);
  }
}

function recipientsAgain(
  context: Context,
  eventId: string,
  recipients: readonly { readonly recipient_kid: number }[],
): readonly Recipient[] {
  return transaction(context, (tables) =>
    recipients.map(({ recipient_kid: kid }) => {
      const recipient = recipientOf(tables, kid);
      if (recipient === undefined) throw cannot(eventId, `is encrypted to key ${kid}, which this agent does not know`);
      return recipient;
    }),
  );
}

function cannot(eventId: string, why: string, cause?: unknown): AgentError {
  const message = `Event ${eventId} ${why}, so it cannot be said again: drop it, and record it anew`;
  return new AgentError("CANNOT_ENCRYPT_ANEW", message, { cause });
}
