import {
  canonicalJson,
  type Envelope,
  envelopeProblem,
  eventSigningHash,
  type JsonValue,
  MAX_PAYLOAD_BYTES,
  newUuidV7,
  parseJson,
  parseUuid,
  payloadPlainHash,
  type SigningKey,
  toWireEnvelope,
  utf8,
  VesError,
  type WireEnvelope,
  ZERO_32,
} from "../../src/ves/index.ts";
import type { Recipient } from "./encryption/index.ts";
import { AgentError } from "./errors.ts";
import { type EncryptTo, recipientsOf } from "./recipients.ts";
import type { AgentIdentity } from "./signer.ts";
import type { NewOutboxRow } from "./store/store.ts";

/** What happened, before it is signed. */
export interface AgentEvent {
  /** 1 to 128 bytes of UTF-8. */
  readonly entityType: string;
  /** 1 to 512 bytes of UTF-8. */
  readonly entityId: string;
  /** 1 to 256 bytes of UTF-8. */
  readonly eventType: string;
  /** Any JSON but null, at most 1 MiB as text. */
  readonly payload: JsonValue;
  /** RFC 3339, kept to the letter; now when absent. */
  readonly createdAt?: string;
  /** A new UUID of version 7 when absent. */
  readonly eventId?: string;
  /** UUID of the command that this is the effect of: it has its effect once in a stream. */
  readonly commandId?: string;
  /**
   * The entity's version that this event expects: a number, or `"current"` for the one that the agent knows of, counting its own
   * events that are on their way. The sequencer refuses the event when another came in between. Absent: any version will do.
   */
  readonly baseVersion?: number | "current";
  /**
   * Whom the payload is encrypted to before the event is signed and stored; nobody but they can read it then. Absent: it is not
   * encrypted. Encrypted, it may have about 768 KiB.
   */
  readonly encryptTo?: EncryptTo;
  /** Whether the agent's own key is a recipient as well, if it has one; it is when absent. */
  readonly encryptToSelf?: boolean;
}

/** A checked event that lacks its signature, and its base version where that is still to be looked up. */
export interface Draft {
  readonly members: Omit<Envelope, "agent_signature" | "base_version" | "ves_version">;
  readonly baseVersion: number | "current" | undefined;
  /** Null once it is encrypted. */
  readonly canonicalPayload: string | null;
  /** Whom it is to be encrypted to; null for nobody. */
  readonly recipients: readonly Recipient[] | null;
}

/** A request wraps a payload in three more levels: itself, its list of events, the event. */
const MAX_PAYLOAD_DEPTH = 124;

/**
 * Checks an event as the sequencer will.
 *
 * @param own the agent's own encryption key; null when it has none
 * @throws AgentError INVALID_EVENT
 */
export function draftOf(
  event: AgentEvent,
  { tenantId, storeId, agentId, keyId }: AgentIdentity,
  own: Recipient | null,
): Draft {
  const canonicalPayload = canonicalPayloadOf(event.payload);
  const eventId = idOf("eventId", event.eventId) ?? newUuidV7();
  // What expects a version may have to be said again, under another id: the command keeps it from counting twice.
  const commandId = idOf("commandId", event.commandId) ?? (event.baseVersion === undefined ? undefined : eventId);
  const members: Draft["members"] = {
    event_id: eventId,
    tenant_id: tenantId,
    store_id: storeId,
    source_agent_id: agentId,
    agent_key_id: keyId,
    entity_type: event.entityType,
    entity_id: event.entityId,
    event_type: event.eventType,
    created_at: event.createdAt ?? new Date().toISOString(),
    payload_kind: 0,
    payload: event.payload,
    payload_plain_hash: payloadPlainHash(canonicalPayload),
    payload_cipher_hash: ZERO_32,
    ...(commandId === undefined ? {} : { command_id: commandId }),
  };
  const { baseVersion } = event;
  if (typeof baseVersion === "number" && !(Number.isSafeInteger(baseVersion) && baseVersion >= 0)) {
    throw invalid("baseVersion", "expected an integer from 0 on");
  }
  const envelope: Envelope = { ...members, ves_version: 2, agent_signature: NO_SIGNATURE };
  const problem = envelopeProblem(envelope, { canonicalPayload });
  if (problem !== undefined) throw new AgentError("INVALID_EVENT", `${problem.reason}: ${problem.message}`);
  const { encryptTo, encryptToSelf = true } = event;
  const recipients = encryptTo === undefined ? null : recipientsOf(encryptTo, encryptToSelf ? own : null);
  return { members, baseVersion, canonicalPayload, recipients };
}

const NO_SIGNATURE = new Uint8Array(64);

/** Signs a draft, and gives what is kept of it. */
export async function signDraft(
  { members, canonicalPayload }: Draft,
  baseVersion: number | undefined,
  vesVersion: 1 | 2,
  key: SigningKey,
): Promise<Omit<NewOutboxRow, "replaces" | "recordedAt">> {
  const event = {
    ves_version: vesVersion,
    ...members,
    ...(baseVersion === undefined ? {} : { base_version: baseVersion }),
  };
  const signingHash = eventSigningHash(event);
  // `source_agent` repeats a member, for readers of the log.
  const {
    payload: _payload,
    source_agent: _agent,
    ...wire
  } = toWireEnvelope({ ...event, agent_signature: await key.sign(signingHash) });
  return {
    eventId: event.event_id,
    commandId: event.command_id ?? null,
    entityType: event.entity_type,
    entityId: event.entity_id,
    eventType: event.event_type,
    baseVersion: baseVersion ?? null,
    createdAt: event.created_at,
    agentId: event.source_agent_id,
    signingHash,
    envelope: canonicalPayload === null ? JSON.stringify(wire) : withPayload(wire, canonicalPayload),
  };
}

/** The canonical text is there already, so the payload is not written out a second time. */
function withPayload(wire: Omit<WireEnvelope, "payload" | "source_agent">, canonicalPayload: string): string {
  return `${JSON.stringify(wire).slice(0, -1)},"payload":${canonicalPayload}}`;
}

function canonicalPayloadOf(payload: JsonValue): string {
  // Null stands for no payload on the wire.
  if (payload === null) throw invalid("payload", "expected any JSON value but null");
  try {
    const text = canonicalJson(payload);
    // As the sequencer will read it: nesting, and the key that other implementations give a meaning.
    parseJson(text, { maxDepth: MAX_PAYLOAD_DEPTH });
    if (text.length > MAX_PAYLOAD_BYTES || utf8(text).length > MAX_PAYLOAD_BYTES) {
      throw invalid("payload", `expected at most ${MAX_PAYLOAD_BYTES} bytes as JSON`);
    }
    return text;
  } catch (error) {
    if (error instanceof VesError) throw invalid("payload", error.message);
    throw error;
  }
}

function idOf(member: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const id = parseUuid(text);
  if (id === undefined) throw invalid(member, "expected a UUID");
  return id;
}

function invalid(member: string, message: string): AgentError {
  return new AgentError("INVALID_EVENT", `${member}: ${message}`);
}
