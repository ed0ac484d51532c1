import type { PayloadProblem } from "../../src/at-rest/open-payload.ts";
import type { StreamRef } from "../../src/stream-ref.ts";
import type { Envelope, Receipt } from "../../src/ves/index.ts";

/** Where a log is read from: the sequencer over HTTP, or its mirror in Postgres. */
export type SourceName = "log" | "database";

/** A source cannot be read, so that nothing can be said about it. The message is a sentence. */
export class SourceError extends Error {
  override readonly name = "SourceError";
}

/** An event as a source holds it. Null stands for what the source does not tell. */
export interface LoggedEvent {
  readonly sequenceNumber: number;
  /** RFC 3339 with milliseconds and `+00:00`, as in receipts. */
  readonly sequencedAt: string;
  readonly envelope: Omit<Envelope, "payload" | "payload_encrypted">;
  /** Canonical JSON of the payload, or of the encrypted payload when `payload_kind` is 1. */
  readonly payloadText: string | PayloadProblem;
  readonly receipt: Receipt | null;
  readonly receiptKeyVersion: number | null;
  /** The version that the event gave its entity. */
  readonly entityVersion: number | null;
  /** The stored hash, 32 bytes when it is sound. */
  readonly signingHash: Uint8Array | null;
}

/** A sealed batch as a source holds it. Hashes have 32 bytes when they are sound. */
export interface LoggedBatch {
  readonly batchId: string;
  readonly vesVersion: number;
  readonly sequenceStart: number;
  readonly sequenceEnd: number;
  readonly leafCount: number;
  /** Null where the source does not tell. */
  readonly treeDepth: number | null;
  /** Null where the source does not tell. */
  readonly paddedLeafCount: number | null;
  readonly merkleRoot: Uint8Array;
  readonly prevStateRoot: Uint8Array;
  readonly newStateRoot: Uint8Array;
  /** As {@link LoggedEvent.sequencedAt}. */
  readonly committedAt: string;
}

/** How far a log is, at the moment from which on it is looked at. */
export interface LogHead {
  readonly headSequence: number;
  /** Events up to here lie in sealed batches. */
  readonly sealedSequence: number;
  /** After the last batch; null where the source does not tell it apart from its batches. */
  readonly stateRoot: Uint8Array | null;
  /** Why the stream takes no writes; null when it does. */
  readonly frozen: string | null;
}

/** A row that the database wrote when somebody changed or deleted a mirrored one. */
export interface Alteration {
  readonly table: string;
  /** Of a commitment, the first number that it covers. */
  readonly sequenceNumber: number;
  readonly operation: string;
  readonly alteredAt: string;
  readonly alteredBy: string;
}

/** Ed25519 public keys of 32 bytes by `agent id/key id`. */
export type AgentKeys = ReadonlyMap<string, Uint8Array>;

export function agentKeyName(agentId: string, keyId: number): string {
  return `${agentId}/${keyId}`;
}

/** Where a source begins that gives the end of a log only. A batch begins there too. */
export interface LogStart {
  /** The first number that it gives. */
  readonly sequenceNumber: number;
  /** The batch before, whose state root is taken as it stands; null when there is none. */
  readonly previous: LoggedBatch | null;
}

/**
 * One stream, as one source holds it at one moment: what is sequenced or sealed later is not part of it. Everything may
 * throw {@link SourceError}.
 */
export interface LogSource {
  readonly name: SourceName;
  readonly stream: StreamRef;
  readonly head: LogHead;
  /** Absent: at 1. */
  readonly start?: LogStart;
  /** Whether every event is to come with its receipt. */
  readonly hasReceipts: boolean;
  /** Pages of events in the order of their numbers. May be called again. */
  readonly events: () => AsyncIterable<readonly LoggedEvent[]>;
  /** Pages of batches in the order of their first numbers. May be called again. */
  readonly batches: () => AsyncIterable<readonly LoggedBatch[]>;
  /** Keys of the stream's tenant, revoked ones included. */
  readonly agentKeys: AgentKeys;
  /** Receipt keys by version; empty where the source has no receipts. */
  readonly sequencerKeys: ReadonlyMap<number, Uint8Array>;
  /** Traces of changes by hand; empty where the source keeps none. */
  readonly alterations: readonly Alteration[];
}
