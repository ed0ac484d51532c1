import type { Acknowledgement } from "./live-protocol.ts";
import type { EventFilters } from "./messages.ts";

/** How long data may wait for an acknowledgement before the subscription ends. */
export const PATIENCE_MS = 30_000;

/**
 * How often a subscription that nothing happens to is looked at. Each look keeps the object awake for some seconds, so that
 * one in 15 minutes costs about a hundredth of an object that never sleeps.
 */
const IDLE_CHECK_MS = 15 * 60_000;

/**
 * Messages that are told apart until they are acknowledged, of each kind. Beyond that the newest count as one, so that a
 * subscription stays within 2 KB: the platform keeps up to 16 KB with a socket.
 */
const MAX_MARKS = 16;

/** With what a subscriber has shown who it is. */
export interface LiveCredential {
  /** Milliseconds since the epoch; null: never. */
  readonly expiresAt: number | null;
  /** Of an API key, which may be revoked; null for every other credential. */
  readonly apiKeyHash: string | null;
}

/** What a Worker asks for in the name of a subscriber that may read the stream. */
export interface LiveRequest {
  /** First number wanted, from 1. */
  readonly from: number;
  /** Proofs are wanted beyond this number, which is below `from`. */
  readonly proven: number;
  readonly filters: EventFilters;
  readonly credential: LiveCredential;
}

/** Bytes that were sent, and the number whose acknowledgement says that they have arrived. */
type Mark = readonly [number: number, bytes: number];

/** How far a subscriber is, and with which filters: whoever is equal in this gets the same message next. */
export interface LivePosition {
  /** Events up to this number were sent, or passed over by the filters. */
  readonly sequence: number;
  /** The same of the proofs. */
  readonly proven: number;
  readonly filters: EventFilters;
}

/**
 * All there is to a subscription. It is kept with its socket, by the platform: the object may leave memory at any time and
 * knows it again when it returns. It ends with its socket, and is then resumed by its client.
 */
export interface Subscription extends LivePosition {
  readonly credential: LiveCredential;
  readonly unackedEvents: readonly Mark[];
  readonly unackedProofs: readonly Mark[];
  /** Since when data waits that an acknowledgement would let go, in milliseconds since the epoch; null: none does. */
  readonly stalledAt: number | null;
  /** When it is looked at though nothing happens, in milliseconds since the epoch. */
  readonly checkAt: number;
}

/** @param now milliseconds since the epoch, here and below */
export function newSubscription({ from, proven, filters, credential }: LiveRequest, now: number): Subscription {
  const unacked = { unackedEvents: [], unackedProofs: [], stalledAt: null };
  return checked({ sequence: from - 1, proven, filters, credential, ...unacked, checkAt: now }, now);
}

/** After a message that brings it to this position; no bytes when there was nothing to send on the way. */
export function moved(
  subscription: Subscription,
  { sequence, proven }: Pick<LivePosition, "sequence" | "proven">,
  bytes: number,
): Subscription {
  const { unackedEvents, unackedProofs } = subscription;
  const after = { ...subscription, sequence, proven, stalledAt: null };
  if (bytes === 0) return after;
  return sequence > subscription.sequence
    ? { ...after, unackedEvents: marked(unackedEvents, [sequence, bytes]) }
    : { ...after, unackedProofs: marked(unackedProofs, [proven, bytes]) };
}

/** After an acknowledgement: the same if it says nothing new, null if it is of what was never sent. */
export function acknowledged(
  subscription: Subscription,
  { sequence = 0, proven = 0 }: Acknowledgement,
): Subscription | null {
  if (sequence > subscription.sequence || proven > subscription.proven) return null;
  const after = (marks: readonly Mark[], number: number): readonly Mark[] => marks.filter(([at]) => at > number);
  const unackedEvents = after(subscription.unackedEvents, sequence);
  const unackedProofs = after(subscription.unackedProofs, proven);
  const isNew = unackedEvents.length + unackedProofs.length < marksOf(subscription).length;
  return isNew ? { ...subscription, unackedEvents, unackedProofs, stalledAt: null } : subscription;
}

/** While data waits that an acknowledgement would let go. Its patience counts from when this began. */
export function stalled(subscription: Subscription, now: number): Subscription {
  if (subscription.stalledAt !== null) return subscription;
  return { ...subscription, stalledAt: now, checkAt: Math.min(subscription.checkAt, now + PATIENCE_MS) };
}

/** After it was looked at. */
export function checked(subscription: Subscription, now: number): Subscription {
  const { credential, stalledAt } = subscription;
  const ends = [credential.expiresAt ?? Infinity, stalledAt === null ? Infinity : stalledAt + PATIENCE_MS];
  return { ...subscription, checkAt: Math.min(now + IDLE_CHECK_MS, ...ends) };
}

/** Bytes that were sent and not acknowledged. */
export function unackedBytes(subscription: Subscription): number {
  return marksOf(subscription).reduce((sum, [, bytes]) => sum + bytes, 0);
}

function marksOf({ unackedEvents, unackedProofs }: Subscription): readonly Mark[] {
  return [...unackedEvents, ...unackedProofs];
}

function marked(marks: readonly Mark[], mark: Mark): readonly Mark[] {
  const [number, bytes] = mark;
  const last = marks.at(-1);
  if (last === undefined || marks.length < MAX_MARKS) return [...marks, mark];
  return [...marks.slice(0, -1), [number, last[1] + bytes]];
}
