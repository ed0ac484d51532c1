import {
  canonicalJson,
  eventSigningHash,
  generateSeed,
  type JsonValue,
  newUuidV7,
  payloadPlainHash,
  type SigningKey,
  signingKeyFromSeed,
  toWireEnvelope,
  type WireEnvelope,
  ZERO_32,
} from "../../src/ves/index.ts";

/** An agent that signs: its identity in one stream, and its key. */
export interface Signer {
  readonly tenantId: string;
  readonly storeId: string;
  readonly agentId: string;
  readonly keyId: number;
  readonly key: SigningKey;
}

/** What happened, before it is signed. */
export interface Fact {
  readonly entityType: string;
  readonly entityId: string;
  readonly eventType: string;
  readonly payload: JsonValue;
  readonly createdAt?: string;
  readonly eventId?: string;
  readonly commandId?: string;
  readonly baseVersion?: number;
  /** Version of the signed form; 2 unless given. */
  readonly vesVersion?: 1 | 2;
}

export async function newSigner(tenantId: string, storeId: string, keyId = 1): Promise<Signer> {
  return { tenantId, storeId, agentId: crypto.randomUUID(), keyId, key: await signingKeyFromSeed(generateSeed()) };
}

/** What an event says of itself, whatever its payload is. */
export function eventHead(signer: Signer, fact: Fact) {
  return {
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
}

/** Signs a fact and gives the event as it goes over the wire. */
export async function signEvent(signer: Signer, fact: Fact): Promise<WireEnvelope> {
  const event = {
    ...eventHead(signer, fact),
    payload_kind: 0 as const,
    payload: fact.payload,
    payload_plain_hash: payloadPlainHash(canonicalJson(fact.payload)),
    payload_cipher_hash: ZERO_32,
    ...(fact.commandId === undefined ? {} : { command_id: fact.commandId }),
    ...(fact.baseVersion === undefined ? {} : { base_version: fact.baseVersion }),
  };
  return toWireEnvelope({ ...event, agent_signature: await signer.key.sign(eventSigningHash(event)) });
}
