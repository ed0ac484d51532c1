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

export interface AppendRequest {
  /** The registry version that keys and policies were read at. */
  readonly registryVersion: number;
  /** Which receipt key will sign for these events. */
  readonly receiptKeyVersion: number;
  readonly events: readonly CheckedEvent[];
}

export type EventOutcome =
  | { readonly kind: "accepted"; readonly place: Place }
  | { readonly kind: "replayed"; readonly place: Place }
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
  | { readonly kind: "unavailable"; readonly cause: "registry" | "queue_full" | "stream_full" };

/** An event with its place in the log. */
export interface SequencedEvent extends Place {
  readonly envelope: Envelope;
  readonly signingHash: Uint8Array;
  /** The version that this event gave its entity: 1 for the first. */
  readonly entityVersion: number;
}

export interface PageRequest {
  /** First number wanted; 0 means 1. */
  readonly from: number;
  readonly limit: number;
  readonly entityType?: string | undefined;
  readonly eventType?: string | undefined;
  readonly agentId?: string | undefined;
}

export interface EventPage {
  readonly events: readonly SequencedEvent[];
  /** Where to continue. */
  readonly nextSequence: number;
  readonly head: number;
}

export interface EntityHistory {
  readonly events: readonly SequencedEvent[];
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
