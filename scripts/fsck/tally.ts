import type { SourceName } from "./log-source.ts";

/** Everything that is checked, in the order of the report. docs/fsck.md says what each one means. */
export const CHECKS = [
  "numbers",
  "event_ids",
  "command_ids",
  "payload_hashes",
  "signing_hashes",
  "signatures",
  "entity_versions",
  "receipts",
  "batches",
  "merkle_roots",
  "state_roots",
  "mirror",
  "alterations",
  "frozen",
] as const;

export type CheckName = (typeof CHECKS)[number];

/** Something that is not as it follows from the rest. */
export interface Difference {
  /** The event's number, or the first number of the batch; null for what has no place in the log. */
  readonly sequenceNumber: number | null;
  /** Which member differs, where there are several. */
  readonly member: string | null;
  readonly expected: string;
  readonly found: string;
}

/** The outcome of one check of one source. */
export interface Tally {
  readonly check: CheckName;
  readonly source: SourceName;
  /** How many things were looked at. */
  readonly checked: number;
  readonly differences: number;
  /** The first of them; the rest is only counted. */
  readonly first: readonly Difference[];
}

/** A tally that is being filled. */
export interface OpenTally extends Tally {
  checked: number;
  differences: number;
  readonly first: Difference[];
}

export type Tallies = Readonly<Record<CheckName, OpenTally>> & {
  /** Events whose payloads were not looked at, by the id of the key that this would have taken. */
  readonly unread: Map<string, number>;
};

/** Kept of each check: enough to see a pattern, and bounded however broken a log is. */
const KEPT_DIFFERENCES = 20;

export function newTallies(source: SourceName): Tallies {
  const entries = CHECKS.map((check) => [check, { check, source, checked: 0, differences: 0, first: [] }]);
  return { ...(Object.fromEntries(entries) as Record<CheckName, OpenTally>), unread: new Map() };
}

/** Counts an event whose payload cannot be looked at for lack of a key. */
export function noteMissingKey({ unread }: Tallies, keyId: string): void {
  unread.set(keyId, (unread.get(keyId) ?? 0) + 1);
}

/** @param member which of several members differs */
export function differ(
  tally: OpenTally,
  sequenceNumber: number | null,
  expected: string,
  found: string,
  member: string | null = null,
): void {
  tally.differences++;
  if (tally.first.length < KEPT_DIFFERENCES) tally.first.push({ sequenceNumber, member, expected, found });
}
