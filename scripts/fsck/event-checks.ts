import type { StreamRef } from "../../src/stream-ref.ts";
import {
  contentProblem,
  type EncryptedPayload,
  encryptedPayloadProblem,
  encryptedPayloadSchema,
  type Envelope,
  equalBytes,
  eventSigningHash,
  payloadPlainHash,
  sha256,
  signatureSchemeProblem,
  toHex,
  uuidBytes,
  verifyEd25519,
  VesError,
} from "../../src/ves/index.ts";
import { newIdIndex } from "./id-index.ts";
import { type AgentKeys, agentKeyName, type LoggedEvent } from "./log-source.ts";
import { differ, noteMissingKey, type Tallies } from "./tally.ts";

/** What follows from an event and those before it. */
export interface DerivedFacts {
  /** What its agent signed, 32 bytes; null when its members cannot be hashed. */
  readonly derivedHash: Uint8Array | null;
  /** How many events its entity has with it, of those that are looked at. */
  readonly derivedVersion: number;
}

/** An event with what was derived beside what was stored. */
export type CheckedEvent = LoggedEvent & DerivedFacts;

/** The checks of events that need no key, one after the other. */
export interface EventChecks {
  readonly check: (event: LoggedEvent) => DerivedFacts;
  /** The highest number so far. */
  readonly lastNumber: () => number;
}

/**
 * Remembers what the uniqueness of ids and the versions of entities follow from: 32 to 64 bytes for each event, command
 * and entity.
 *
 * @param first the number that the events begin with. Beyond 1 nothing follows of the versions of entities, and ids are
 *   compared with those from there on
 */
export function newEventChecks(stream: StreamRef, tallies: Tallies, first = 1): EventChecks {
  const events = newIdIndex();
  const commands = newIdIndex();
  const versions = newIdIndex();
  let last = first - 1;

  const checkNumber = (number: number): void => {
    tallies.numbers.checked++;
    if (number !== last + 1) differ(tallies.numbers, number, `number ${last + 1}`, `number ${number}`);
    last = Math.max(last, number);
  };
  const checkVersion = (event: LoggedEvent): number => {
    const { entity_type: type, entity_id: id, base_version: base } = event.envelope;
    const entity = sha256(Buffer.from(`${type.length} ${type}${id}`));
    const before = versions.get(entity) ?? 0;
    versions.set(entity, before + 1);
    const number = event.sequenceNumber;
    if (first > 1) return before + 1;
    tallies.entity_versions.checked++;
    if (event.entityVersion !== null && event.entityVersion !== before + 1) {
      differ(tallies.entity_versions, number, String(before + 1), String(event.entityVersion), "entity_version");
    }
    if (base !== undefined && base !== before) {
      differ(tallies.entity_versions, number, String(before), String(base), "base_version");
    }
    return before + 1;
  };

  return {
    check: (event) => {
      const number = event.sequenceNumber;
      checkNumber(number);

      tallies.event_ids.checked++;
      const id = uuidBytes(event.envelope.event_id);
      const holder = events.get(id);
      if (holder === undefined) events.set(id, number);
      else differ(tallies.event_ids, number, "an id of its own", `the id of number ${holder}`);

      if (event.envelope.command_id !== undefined) {
        tallies.command_ids.checked++;
        const command = uuidBytes(event.envelope.command_id);
        const user = commands.get(command);
        if (user === undefined) commands.set(command, number);
        else differ(tallies.command_ids, number, "a command that was not used before", `that of number ${user}`);
      }

      checkPayload(event, tallies);
      return { derivedHash: checkSigningHash(event, stream, tallies), derivedVersion: checkVersion(event) };
    },
    lastNumber: () => last,
  };
}

/**
 * Whether each event is signed by the key that it names.
 *
 * @param before settled once the events before these are tallied
 */
export async function checkSignatures(
  events: readonly CheckedEvent[],
  keys: AgentKeys,
  tallies: Tallies,
  before: Promise<unknown>,
): Promise<void> {
  const problems = await Promise.all(events.map((event) => signatureProblem(event, keys)));
  await before;
  for (const [index, { sequenceNumber }] of events.entries()) {
    const problem = problems[index];
    tallies.signatures.checked++;
    if (problem !== undefined) differ(tallies.signatures, sequenceNumber, problem.expected, problem.found);
  }
}

interface Problem {
  readonly expected: string;
  readonly found: string;
}

async function signatureProblem(
  { envelope, derivedHash }: CheckedEvent,
  keys: AgentKeys,
): Promise<Problem | undefined> {
  const { source_agent_id: agent, agent_key_id: keyId } = envelope;
  const expected = `the signature of key ${keyId} of agent ${agent}`;
  const key = keys.get(agentKeyName(agent, keyId));
  if (key === undefined) return { expected, found: "no such key is registered" };
  const scheme = signatureSchemeProblem(envelope);
  if (scheme !== undefined) return { expected, found: scheme.message };
  if (derivedHash !== null && (await verifyEd25519(key, derivedHash, envelope.agent_signature))) return undefined;
  return { expected, found: `${toHex(envelope.agent_signature)}, which does not verify` };
}

function checkPayload(event: LoggedEvent, tallies: Tallies): void {
  const { envelope, payloadText, sequenceNumber } = event;
  if (typeof payloadText !== "string" && payloadText.kind === "missing_key") {
    noteMissingKey(tallies, payloadText.keyId);
    return;
  }
  tallies.payload_hashes.checked++;
  if (typeof payloadText !== "string") {
    const expected = "what was encrypted for this event";
    differ(tallies.payload_hashes, sequenceNumber, expected, "bytes that do not decrypt");
    return;
  }
  if (envelope.payload_kind === 1) {
    const problem = encryptedProblem(envelope, payloadText);
    if (problem !== undefined) {
      differ(tallies.payload_hashes, sequenceNumber, toHex(envelope.payload_cipher_hash), problem);
    }
    return;
  }
  // Of the text as it is stored: were it written otherwise than canonically, its hash would not be this.
  const hash = Buffer.from(payloadPlainHash(payloadText.toWellFormed()));
  if (!equalBytes(hash, envelope.payload_plain_hash)) {
    differ(tallies.payload_hashes, sequenceNumber, toHex(envelope.payload_plain_hash), toHex(hash));
  }
}

/** Why an encrypted payload is not the one that its hash is of. */
function encryptedProblem(envelope: LoggedEvent["envelope"], payloadText: string): string | undefined {
  let payload: unknown;
  try {
    payload = JSON.parse(payloadText);
  } catch {
    return "a text that is no JSON";
  }
  if (!encryptedPayloadSchema.safeParse(payload).success) return "a text that is no encrypted payload";
  // As it was parsed, and not as the schema gives it back: unknown members are hashed too.
  const encrypted = payload as EncryptedPayload;
  return (encryptedPayloadProblem(encrypted) ?? contentProblem({ ...envelope, payload_encrypted: encrypted }))?.message;
}

/** The signing hash that follows from the members, and whether the source has stored the same. */
function checkSigningHash(event: LoggedEvent, stream: StreamRef, tallies: Tallies): Uint8Array | null {
  const { signing_hashes: tally } = tallies;
  const { sequenceNumber, signingHash: stored } = event;
  tally.checked++;
  const envelope = inStream(event.envelope, stream);
  if (envelope !== event.envelope) {
    const found = `${event.envelope.tenant_id}/${event.envelope.store_id}`;
    differ(tally, sequenceNumber, `an event of ${stream.tenantId}/${stream.storeId}`, found, "tenant_id and store_id");
  }
  let hash: Uint8Array;
  try {
    hash = eventSigningHash(envelope);
  } catch (error) {
    if (!(error instanceof VesError)) throw error;
    differ(tally, sequenceNumber, "members that can be hashed", error.message);
    return null;
  }
  if (stored !== null && !equalBytes(hash, stored)) differ(tally, sequenceNumber, toHex(hash), toHex(stored));
  return hash;
}

/** Whatever stream an event names, this one is where it must have been signed for. */
function inStream<E extends Pick<Envelope, "tenant_id" | "store_id">>(envelope: E, stream: StreamRef): E {
  const isHere = envelope.tenant_id === stream.tenantId && envelope.store_id === stream.storeId;
  return isHere ? envelope : { ...envelope, tenant_id: stream.tenantId, store_id: stream.storeId };
}
