import { encryptPayload, type Recipient } from "../../agent/src/encryption/index.ts";
import type { Fact, Signer } from "../../scripts/lib/signer.ts";
import { type Envelope, eventSigningHash, newUuidV7 } from "../../src/ves/index.ts";

/** A fact as an event whose payload is encrypted to these recipients, signed. */
export async function endToEndEvent(
  signer: Signer,
  fact: Fact,
  recipients: readonly Recipient[],
): Promise<Envelope & { readonly payload_encrypted: NonNullable<Envelope["payload_encrypted"]> }> {
  const context = {
    ves_version: fact.vesVersion ?? 2,
    event_id: fact.eventId ?? newUuidV7(),
    tenant_id: signer.tenantId,
    store_id: signer.storeId,
    source_agent_id: signer.agentId,
    agent_key_id: signer.keyId,
    entity_type: fact.entityType,
    entity_id: fact.entityId,
    event_type: fact.eventType,
    created_at: fact.createdAt ?? new Date().toISOString(),
  };
  const encrypted = await encryptPayload({ payload: fact.payload, context, recipients });
  const event = {
    ...context,
    ...encrypted,
    payload_kind: 1 as const,
    ...(fact.baseVersion === undefined ? {} : { base_version: fact.baseVersion }),
  };
  return { ...event, agent_signature: await signer.key.sign(eventSigningHash(event)) };
}
