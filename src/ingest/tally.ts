import type { EventOutcome } from "../stream/messages.ts";

/** The counters of an ingest response (VES 6.3). */
export interface Tally {
  readonly accepted: number;
  readonly rejected: number;
  readonly sequenceStart: number | null;
  readonly sequenceEnd: number | null;
}

/**
 * Counts the outcomes of a request. A replay counts as nothing, with one exception: when all events are of version 1 and
 * those not rejected hold consecutive numbers in request order, all of these count as accepted. An agent of version 1
 * whose first answer was lost settles its outbox by these numbers alone.
 */
export function tally(events: readonly { readonly vesVersion: number; readonly outcome: EventOutcome }[]): Tally {
  const numbersOf = (kinds: readonly EventOutcome["kind"][]): number[] =>
    events.flatMap(({ outcome }) =>
      outcome.kind !== "rejected" && kinds.includes(outcome.kind) ? [outcome.place.sequenceNumber] : [],
    );
  const placed = numbersOf(["accepted", "replayed"]);
  const isConsecutive = placed.every((number, index) => number === (placed[0] ?? 0) + index);
  const countsReplays = isConsecutive && events.every(({ vesVersion }) => vesVersion === 1);
  const counted = countsReplays ? placed : numbersOf(["accepted"]);
  return {
    accepted: counted.length,
    rejected: events.length - placed.length,
    sequenceStart: counted[0] ?? null,
    sequenceEnd: counted.at(-1) ?? null,
  };
}
