import { agentKeyName, type LoggedBatch, type LoggedEvent, type LogHead } from "../../scripts/fsck/log-source.ts";
import { newSigner, type Signer, signEvent } from "../../scripts/lib/signer.ts";
import type { StreamRef } from "../../src/stream-ref.ts";
import {
  canonicalJson,
  type Envelope,
  envelopeSchema,
  eventSigningHash,
  generateSeed,
  type JsonObject,
  leafHash,
  merkleTree,
  type Receipt,
  receiptHash,
  type SigningKey,
  signingKeyFromSeed,
  stateRoot,
  toHex,
  toRfc3339Offset,
  ZERO_32,
} from "../../src/ves/index.ts";
import { encryptedOf } from "./encrypted-event.ts";

/*
 * A log as a sound sequencer would hold it, in memory, to be damaged by tests: plain objects whose members may be replaced.
 */

type Loose<T> = { -readonly [Member in keyof T]: T[Member] };

export interface LooseEvent extends Loose<Omit<LoggedEvent, "envelope" | "receipt">> {
  envelope: Loose<LoggedEvent["envelope"]>;
  receipt: Loose<Receipt> | null;
}

export type LooseBatch = Loose<LoggedBatch>;

/** What one source holds of the log. */
export interface LooseLog {
  readonly stream: StreamRef;
  head: Loose<LogHead>;
  events: LooseEvent[];
  batches: LooseBatch[];
  readonly agentKeys: Map<string, Uint8Array>;
  readonly sequencerKeys: Map<number, Uint8Array>;
}

/** The receipt key's version in these logs. */
export const KEY_VERSION = 3;
const START = Date.parse("2026-01-01T00:00:00Z");
const ENTITIES = 5;

/**
 * A log of signed events, plain and encrypted ones, of both versions, with commands and base versions.
 *
 * @param batchSizes events of each sealed batch; what is beyond them is not sealed
 */
export async function soundLog(events: number, batchSizes: readonly number[]): Promise<LooseLog> {
  const stream = { tenantId: crypto.randomUUID(), storeId: crypto.randomUUID() };
  const sequencer = await signingKeyFromSeed(generateSeed());
  const agents = [
    await newSigner(stream.tenantId, stream.storeId),
    await newSigner(stream.tenantId, stream.storeId, 7),
  ];
  const log: LooseLog = {
    stream,
    head: { headSequence: events, sealedSequence: 0, stateRoot: ZERO_32, frozen: null },
    events: [],
    batches: [],
    agentKeys: new Map(agents.map(({ agentId, keyId, key }) => [agentKeyName(agentId, keyId), key.publicKey])),
    sequencerKeys: new Map([[KEY_VERSION, sequencer.publicKey]]),
  };
  for (let number = 1; number <= events; number++) {
    log.events.push(await sequenced(await envelopeOf(number, agents), number, stream, sequencer));
  }
  for (const size of batchSizes) seal(log, size);
  return log;
}

/** What a mirror that is up to date holds of a log. */
export function mirrorOf(log: LooseLog): LooseLog {
  const { sealedSequence } = log.head;
  return {
    ...log,
    head: { headSequence: sealedSequence, sealedSequence, stateRoot: null, frozen: null },
    events: log.events.slice(0, sealedSequence).map((event) => ({
      ...event,
      envelope: { ...event.envelope },
      receipt: null,
      entityVersion: versionOf(event.sequenceNumber),
      signingHash: eventSigningHash(event.envelope),
    })),
    batches: log.batches.map((batch) => ({ ...batch, treeDepth: null, paddedLeafCount: null })),
    agentKeys: new Map(log.agentKeys),
    sequencerKeys: new Map(),
  };
}

function versionOf(number: number): number {
  return Math.ceil(number / ENTITIES);
}

async function envelopeOf(number: number, agents: readonly Signer[]): Promise<Envelope> {
  const signer = agents[number % agents.length] as Signer;
  const wire = await signEvent(signer, {
    entityType: "order",
    entityId: `o${number % ENTITIES}`,
    eventType: "order.changed",
    payload: { n: number, text: "ü" },
    vesVersion: number % 3 === 0 ? 1 : 2,
    ...(number % 4 === 0 ? { commandId: crypto.randomUUID() } : {}),
    ...(number % 2 === 0 ? { baseVersion: versionOf(number) - 1 } : {}),
  });
  const envelope = envelopeSchema.parse(wire);
  return number % 7 === 0 ? encryptedOf(envelope, signer.key) : envelope;
}

async function sequenced(
  { payload, payload_encrypted, ...envelope }: Envelope,
  sequenceNumber: number,
  stream: StreamRef,
  sequencer: SigningKey,
): Promise<LooseEvent> {
  const sequencedAt = toRfc3339Offset(START + sequenceNumber);
  const eventId = envelope.event_id;
  const hash = receiptHash({ ...stream, eventId, sequenceNumber, eventSigningHash: eventSigningHash(envelope) });
  return {
    sequenceNumber,
    sequencedAt,
    envelope,
    payloadText: canonicalJson((payload_encrypted as JsonObject | undefined) ?? payload ?? null),
    receipt: {
      sequencerId: "00000000-0000-8000-8000-000000000001",
      eventId,
      sequenceNumber,
      sequencedAt,
      receiptHash: toHex(hash),
      signatureAlg: "ed25519",
      sequencerSignature: toHex(await sequencer.sign(hash)),
      sequencerKeyVersion: KEY_VERSION,
    },
    receiptKeyVersion: KEY_VERSION,
    entityVersion: null,
    signingHash: null,
  };
}

function seal(log: LooseLog, leafCount: number): void {
  const { stream, head } = log;
  const sequenceStart = head.sealedSequence + 1;
  const sequenceEnd = head.sealedSequence + leafCount;
  const leaves = log.events.slice(sequenceStart - 1, sequenceEnd).map(({ envelope, sequenceNumber }) =>
    leafHash({
      ...stream,
      sequenceNumber,
      eventSigningHash: eventSigningHash(envelope),
      agentSignature: envelope.agent_signature,
    }),
  );
  const tree = merkleTree(leaves);
  // Arrays of their own, so that damage to one member is none to another.
  const prevStateRoot = (head.stateRoot ?? ZERO_32).slice();
  const chained = { prevStateRoot, merkleRoot: tree.root.slice(), sequenceStart, sequenceEnd };
  const newStateRoot = stateRoot({ ...stream, ...chained, leafCount });
  log.batches.push({
    batchId: crypto.randomUUID(),
    vesVersion: 1,
    ...chained,
    newStateRoot,
    leafCount,
    treeDepth: tree.depth,
    paddedLeafCount: tree.paddedLeafCount,
    committedAt: toRfc3339Offset(START + 60_000 + sequenceEnd),
  });
  log.head = { ...head, sealedSequence: sequenceEnd, stateRoot: newStateRoot.slice() };
}
