import type { PayloadProblem } from "../at-rest/open-payload.ts";
import type { StoredPayload } from "../at-rest/stored-payload.ts";
import type { TraceContext } from "../observe/trace-context.ts";
import type { Envelope } from "../ves/index.ts";

/**
 * What a Worker and a StreamSequencer say to each other. Everything survives structured cloning, and failures are
 * results: an error thrown across RPC loses its type.
 */

/** Why an event got no number; `reason` is one of the wire's reason strings (VES 6.3). */
export interface Rejection {
  readonly reason: string;
  readonly message: string;
}

/** An event as the Worker found it: parsed, hashed, and either verified or with the reason why not. */
export interface CheckedEvent {
  readonly envelope: Omit<Envelope, "payload" | "payload_encrypted" | "tenant_id" | "store_id">;
  /** Canonical JSON of the payload, or of the encrypted payload when `payload_kind` is 1. */
  readonly payloadText: string;
  /** Whether the declared payload hash (kind 0) or cipher hash (kind 1) is that of `payloadText`. */
  readonly payloadIntact: boolean;
  readonly signingHash: Uint8Array;
  /**
   * What verification found wrong, or null. An exact copy of an event that is already in the log is answered with its
   * number all the same: it was valid when it was accepted, even if its key has been revoked since.
   */
  readonly rejection: Rejection | null;
}

/** A checked event with its payload as it is to be stored. */
export interface StorableEvent extends Omit<CheckedEvent, "payloadText"> {
  readonly payload: StoredPayload;
}

export interface AppendRequest {
  /** The registry version that keys and policies were read at. */
  readonly registryVersion: number;
  /** Which receipt key will sign for these events. */
  readonly receiptKeyVersion: number;
  readonly events: readonly StorableEvent[];
  /**
   * The tenant's registry did not know the store before this request. An empty stream asks Postgres before it begins at 1,
   * since it may have been lost; only one that is new may begin while Postgres does not answer.
   */
  readonly isNewStore: boolean;
  /** What the append is part of, for logs and traces. */
  readonly work?: { readonly requestId?: string | undefined; readonly trace?: TraceContext | undefined };
}

export type EventOutcome =
  | { readonly kind: "accepted"; readonly place: Place }
  /** The proof is there once the event's batch is sealed. */
  | { readonly kind: "replayed"; readonly place: Place; readonly proof: InclusionProof | null }
  | { readonly kind: "rejected"; readonly rejection: Rejection; readonly phase: RejectionPhase };

/** Where in the log an event is: all that a receipt needs beside the event itself. */
export interface Place {
  readonly sequenceNumber: number;
  /** Milliseconds since the epoch. */
  readonly sequencedAt: number;
  readonly receiptKeyVersion: number;
}

/** Rejections are reported by the phase that found them: 1 the event itself, 2 its command, 3 its entity's version. */
export type RejectionPhase = 1 | 2 | 3;

export type AppendResult =
  | { readonly kind: "appended"; readonly head: number; readonly outcomes: readonly EventOutcome[] }
  /** The keys were read at another version than the current one: read them again and repeat. */
  | { readonly kind: "stale_registry"; readonly currentVersion: number }
  /** Nothing was stored; repeating later is safe. */
  | { readonly kind: "unavailable"; readonly cause: "registry" | "queue_full" | "stream_full" | "mirror" }
  | Frozen;

/** The stream takes no writes until this is resolved: what it would write might contradict what is mirrored or anchored. */
export interface Frozen {
  readonly kind: "frozen";
  /** For people: what was found and what to do. */
  readonly reason: string;
}

/** A sealed batch: the events of a range of numbers under one Merkle root, chained to the batch before it (VES 5.5). */
export interface Batch {
  readonly batchId: string;
  readonly sequenceStart: number;
  readonly sequenceEnd: number;
  readonly merkleRoot: Uint8Array;
  /** 32 zero bytes in a stream's first batch. */
  readonly prevStateRoot: Uint8Array;
  readonly newStateRoot: Uint8Array;
  /** Milliseconds since the epoch. */
  readonly committedAt: number;
}

/** Where a batch stands on chain, once it is final there. */
export interface Anchor {
  readonly chainId: number;
  /** 32 bytes; null where the transaction that holds it could not be found. */
  readonly txHash: Uint8Array | null;
  readonly blockNumber: number | null;
  /** Milliseconds since the epoch: the block's time, as the contract has it. */
  readonly anchoredAt: number;
}

/** A sealed batch and what became of it on chain. */
export interface StoredBatch extends Batch {
  /** Null until it is final, and again when a reorganisation of the chain took it away. */
  readonly anchor: Anchor | null;
}

/** What the anchoring Worker tells a stream of one of its batches. */
export interface AnchorNote {
  readonly batchId: string;
  readonly sequenceStart: number;
  /** Rises with every change of what is told: an earlier note that arrives late does not replace a later one. */
  readonly revision: number;
  /** Null: not anchored any more. */
  readonly anchor: Anchor | null;
}

/** How far the contract holds a stream: 0 and 32 zero bytes when it holds nothing of it. */
export interface ChainTip {
  readonly latestSequence: number;
  readonly stateRoot: Uint8Array;
}

export type CommitResult =
  /** Just now, or earlier by the same request. */
  | { readonly kind: "sealed"; readonly batch: StoredBatch }
  /** The range names numbers that were not given yet. */
  | { readonly kind: "beyond_head"; readonly head: number }
  /** A batch begins at this start but ends elsewhere. */
  | { readonly kind: "other_end"; readonly batch: Batch }
  /** The next batch of the stream begins at `next`. */
  | { readonly kind: "not_next"; readonly next: number }
  /** A batch from this start may end here at the latest. */
  | { readonly kind: "too_large"; readonly largestEnd: number }
  | Frozen;

export interface BatchListRequest {
  /** Only batches that begin before this number. */
  readonly before: number;
  readonly limit: number;
  /** Only those that are anchored, or only those that are not; all when absent. */
  readonly anchored?: boolean | undefined;
}

/** Newest first. */
export interface BatchList {
  readonly batches: readonly StoredBatch[];
  readonly hasMore: boolean;
}

/** That the event with this number is in the batch (VES 5.2). */
export interface InclusionProof {
  readonly batch: Batch;
  readonly sequenceNumber: number;
  /** From 0. */
  readonly leafIndex: number;
  readonly leafHash: Uint8Array;
  /** Siblings from the leaf to the root. */
  readonly path: readonly Uint8Array[];
}

export type ProofResult =
  /** Once the batch is mirrored it survives the loss of the stream's object, and never changes. */
  | { readonly kind: "proof"; readonly proof: InclusionProof; readonly isMirrored: boolean }
  /** Milliseconds since the epoch at which its batch seals at the latest; null while the stream is frozen. */
  | { readonly kind: "not_yet_sealed"; readonly sealAt: number | null }
  | { readonly kind: "unknown_event" };

export type RestoreResult =
  | { readonly kind: "restoring" | "restored"; readonly restoredSequence: number; readonly totalSequence: number }
  | { readonly kind: "refused"; readonly refusal: RestoreRefusal };

/** What there is to restore, and whether it can be. */
export type RestorationOutlook =
  | {
      /** Only an empty stream is restored, and one whose restoration is not complete. */
      readonly kind: "restorable" | "not_empty";
      readonly head: number;
      /** What Postgres holds. */
      readonly totalSequence: number;
      readonly batches: number;
    }
  | { readonly kind: "refused"; readonly refusal: RestoreRefusal };

export type RestoreRefusal =
  | { readonly kind: "not_empty"; readonly head: number }
  /** Postgres holds no batch of the stream. */
  | { readonly kind: "not_mirrored" }
  /** What Postgres holds does not verify; nothing of that batch was taken over. */
  | { readonly kind: "unverified"; readonly reason: string }
  /** An event's payload cannot be decrypted, so that nobody can say whether it is what was signed. Repeating is safe. */
  | { readonly kind: "unreadable"; readonly sequenceNumber: number; readonly keyId: string }
  /** Postgres did not answer, or not what it should. Repeating is safe. */
  | { readonly kind: "unreachable" }
  /** The deployment has no mirror. */
  | { readonly kind: "no_mirror" };

export interface ReencryptRequest {
  /** First number of the piece. */
  readonly from: number;
  /** Only look. */
  readonly isDryRun: boolean;
}

/** Payloads of a piece in one of the two storages. */
export interface PayloadCounts {
  /** As they were found, by the id of the key that they are under. */
  readonly byKey: Readonly<Record<string, number>>;
  /** How many were encrypted under the current key. */
  readonly reencrypted: number;
}

/** A payload that no configured key opens. It stays as it is. */
export interface UnreadablePayload {
  readonly sequenceNumber: number;
  /** Of the key that it says it is under. */
  readonly keyId: string;
  readonly problem: PayloadProblem;
}

export type ReencryptResult =
  | {
      readonly kind: "piece";
      readonly currentKeyId: string;
      /** Where to continue; null when the stream ends here. */
      readonly nextSequence: number | null;
      readonly head: number;
      readonly object: PayloadCounts;
      /** Null in a deployment without a mirror. */
      readonly database: PayloadCounts | null;
      /** Of the object. */
      readonly unreadable: {
        readonly count: number;
        /** The first of them. */
        readonly first: readonly UnreadablePayload[];
      };
    }
  /** Payloads are not encrypted here. */
  | { readonly kind: "no_key" }
  /** Postgres failed, after the piece was done in the object. Repeating is safe. */
  | { readonly kind: "unreachable"; readonly reason: string };

/** How far a stream is. */
export interface StreamState {
  readonly head: number;
  /** Null before the first batch. */
  readonly latestBatch: StoredBatch | null;
  /** Events up to here are anchored, and final on chain. */
  readonly anchoredSequence: number;
  /** Events up to here are in Postgres, as far as the stream knows. */
  readonly mirroredSequence: number;
  /** Why the stream takes no writes; null when it does. */
  readonly frozenReason: string | null;
}

/** An event as its stream holds it, with its place in the log. */
export interface StoredEvent extends Place {
  readonly envelope: Omit<Envelope, "payload" | "payload_encrypted">;
  readonly payload: StoredPayload;
  readonly signingHash: Uint8Array;
  /** The version that this event gave its entity: 1 for the first. */
  readonly entityVersion: number;
}

/** An event with its content and its place in the log. */
export interface SequencedEvent extends Omit<StoredEvent, "envelope" | "payload"> {
  readonly envelope: Envelope;
}

/** Which events are wanted: those that agree with all that is given. */
export interface EventFilters {
  readonly entityType?: string | undefined;
  readonly eventType?: string | undefined;
  readonly agentId?: string | undefined;
}

export interface PageRequest extends EventFilters {
  /** First number wanted; 0 means 1. */
  readonly from: number;
  /** Last number wanted; the head when absent. */
  readonly to?: number | undefined;
  readonly limit: number;
  /** Most bytes of payloads and names, but always one event; 4 MiB when absent. */
  readonly maxBytes?: number | undefined;
}

export interface EventPage<Event = StoredEvent> {
  readonly events: readonly Event[];
  /** Where to continue. */
  readonly nextSequence: number;
  readonly head: number;
}

export interface EntityHistory<Event = StoredEvent> {
  readonly events: readonly Event[];
  /** Events of this entity in all, which is also its current version. */
  readonly total: number;
}

export interface Cursor {
  readonly acknowledgedSequence: number;
  readonly head: number;
  /** Milliseconds since the epoch, or null when nothing was ever acknowledged. */
  readonly updatedAt: number | null;
}

export type CursorUpdate =
  { readonly kind: "cursor"; readonly cursor: Cursor } | { readonly kind: "beyond_head"; readonly head: number };
