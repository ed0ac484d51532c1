/** A stream of the sequencer. */
export interface StreamRef {
  readonly tenantId: string;
  readonly storeId: string;
}

/** What an event is about. */
export interface EntityRef {
  readonly entityType: string;
  readonly entityId: string;
}

/**
 * Where a recorded event stands.
 *
 * - `pending`: to be pushed. With `pushedAt`, it was sent and no answer has come: the sequencer may have it already
 * - `accepted`: it has its number, and a receipt that verified
 * - `rejected`: the sequencer refuses it for good; `reason` says why
 * - `conflict`: its entity has another version than it expects; to be rebased or dropped
 * - `rebased`: another event, which `replaces` it, says the same of the present version
 * - `dropped`: given up
 */
export type OutboxState = "pending" | "accepted" | "rejected" | "conflict" | "rebased" | "dropped";

/** An event on its way to the sequencer. Instants are milliseconds since 1970. */
export interface OutboxRow extends EntityRef {
  /** Rises in the order of recording, which is the order of pushing. */
  readonly id: number;
  readonly eventId: string;
  readonly commandId: string | null;
  readonly eventType: string;
  readonly baseVersion: number | null;
  readonly createdAt: string;
  readonly agentId: string;
  /** 32 bytes. */
  readonly signingHash: Uint8Array;
  /** The event as JSON, as it goes over the wire. */
  readonly envelope: string;
  /** Id of the event in whose place this one stands. */
  readonly replaces: string | null;
  readonly recordedAt: number;
  readonly state: OutboxState;
  readonly reason: string | null;
  readonly message: string | null;
  readonly pushedAt: number | null;
  readonly ackedAt: number | null;
  readonly remoteSequence: number | null;
  /** As JSON. */
  readonly receipt: string | null;
}

/** What a row is recorded with; all else of it comes later. */
export type NewOutboxRow = Omit<
  OutboxRow,
  "id" | "state" | "reason" | "message" | "pushedAt" | "ackedAt" | "remoteSequence" | "receipt"
>;

/** What may change of a row. Only what the sequencer has refused may be signed anew. */
export type OutboxChange = Partial<
  Pick<
    OutboxRow,
    "signingHash" | "envelope" | "state" | "reason" | "message" | "pushedAt" | "ackedAt" | "remoteSequence" | "receipt"
  >
>;

/**
 * Which of the settled rows are removed. Those that were dropped always are, and those that were rebased once what stands in their
 * place is settled.
 */
export interface Pruning {
  /** Only rows that were settled before this instant, in milliseconds since 1970. */
  readonly ackedBefore: number;
  readonly withRejected?: boolean;
  /** Also accepted rows that the copy of the log does not hold, verified, at their receipt's number. */
  readonly withUnpulled?: boolean;
}

/** Which rows are asked for: those for which all of this holds. */
export interface OutboxQuery {
  readonly eventId?: string;
  /** Only rows with one of these ids. */
  readonly eventIds?: readonly string[];
  readonly agentId?: string;
  readonly state?: OutboxState;
  readonly entity?: EntityRef;
  /** Only rows with such a `remoteSequence`, both included. */
  readonly numbers?: { readonly from: number; readonly to: number };
  /** Only rows that were recorded after this one. */
  readonly afterId?: number;
  /** Most rows; all when absent. */
  readonly limit?: number;
}

/** An event of the log, looked at once and kept. */
export interface PulledRow extends EntityRef {
  readonly sequenceNumber: number;
  readonly eventId: string;
  readonly eventType: string;
  readonly agentId: string;
  readonly sequencedAt: string;
  readonly pulledAt: number;
  /** The event as JSON, as the sequencer gave it. */
  readonly envelope: string;
  /** 32 bytes: what its batch's tree is built of. */
  readonly leafHash: Uint8Array;
  /** Why it does not verify; null when it does. */
  readonly quarantine: string | null;
}

/** Which events are asked for, in the log's order. */
export interface PulledQuery {
  readonly eventId?: string;
  readonly entity?: EntityRef;
  /** Only those that do not verify. */
  readonly isQuarantined?: true;
  /** Lowest number. */
  readonly from?: number;
  readonly limit?: number;
}

/** A sealed batch that was computed again from its events. Hashes have 32 bytes. */
export interface VerifiedBatch {
  readonly sequenceStart: number;
  readonly sequenceEnd: number;
  readonly batchId: string;
  readonly merkleRoot: Uint8Array;
  readonly newStateRoot: Uint8Array;
}

/** How many rows there are of each kind. */
export interface StoreCounts {
  readonly outbox: Readonly<Record<OutboxState, number>>;
  /** Of the pending ones, those that were sent and not answered. */
  readonly unanswered: number;
  readonly quarantined: number;
}

/** What a stream's agent keeps. Only to be used within the transaction that gave it. */
export interface StreamTables {
  readonly append: (row: NewOutboxRow) => void;
  /** In the order of recording. */
  readonly outbox: (query: OutboxQuery) => OutboxRow[];
  /** How many of the entity's rows are pending, or accepted with a number above this one. */
  readonly onTheirWay: (entity: EntityRef, aboveSequence: number) => number;
  readonly update: (id: number, change: OutboxChange) => void;
  readonly counts: (agentId: string) => StoreCounts;
  /** Removes what is done with. @returns how many rows */
  readonly prune: (pruning: Pruning) => number;
  readonly addPulled: (row: PulledRow) => void;
  readonly pulled: (query: PulledQuery) => PulledRow[];
  /** Those of the event ids that were pulled. */
  readonly pulledAmong: (eventIds: readonly string[]) => string[];
  /** Leaf hashes of these numbers, both included, in order. */
  readonly leaves: (from: number, to: number) => Uint8Array[];
  readonly addBatch: (batch: VerifiedBatch) => void;
  /** The batch that holds this number. */
  readonly batchOf: (sequenceNumber: number) => VerifiedBatch | undefined;
  /** Events of the entity that were pulled. */
  readonly entityVersion: (entity: EntityRef) => number;
  readonly raiseEntityVersion: (entity: EntityRef, by: number) => void;
  readonly state: (key: string) => string | undefined;
  readonly setState: (key: string, value: string) => void;
}

/**
 * Where an agent keeps what it recorded and what it pulled.
 *
 * Durability contract: when `transaction` returns, all that its body wrote is on disk, and visible to every process that
 * has the same store open; when it throws, nothing of it is. Transactions of all processes run one after another.
 */
export interface AgentStore {
  /** `body` must be synchronous: an async one would commit at its first await. */
  transaction<T>(stream: StreamRef, body: (tables: StreamTables) => T): T;
  close(): void;
}
