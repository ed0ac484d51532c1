import { encryptPayload, type Recipient } from "../../agent/src/encryption/index.ts";
import { eventHead, type Fact, type Signer } from "../../scripts/lib/signer.ts";
import { type Envelope, eventSigningHash } from "../../src/ves/index.ts";

/** A fact as an event whose payload is encrypted to these recipients, signed. */
export async function endToEndEvent(
  signer: Signer,
  fact: Fact,
  recipients: readonly Recipient[],
): Promise<Envelope & { readonly payload_encrypted: NonNullable<Envelope["payload_encrypted"]> }> {
  const context = eventHead(signer, fact);
  const encrypted = await encryptPayload({ payload: fact.payload, context, recipients });
  const event = {
    ...context,
    ...encrypted,
    payload_kind: 1 as const,
    ...(fact.baseVersion === undefined ? {} : { base_version: fact.baseVersion }),
  };
  return { ...event, agent_signature: await signer.key.sign(eventSigningHash(event)) };
}
