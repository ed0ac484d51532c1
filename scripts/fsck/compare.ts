import { toHex } from "../../src/ves/index.ts";
import type { CheckedEvent } from "./event-checks.ts";
import type { AgentKeys, LoggedBatch, LogSource } from "./log-source.ts";
import { itemsOf, readAhead } from "./pages.ts";
import { differ, type OpenTally } from "./tally.ts";

/** The members of a thing as text, by name. Null is for what is absent; undefined for what the source does not tell. */
type Members = Readonly<Record<string, string | number | null | undefined>>;

const THERE = "a row";
const MISSING = "no row";

/**
 * Whether every mirrored event is the log's to the last member, and none is missing or too many.
 *
 * @param mirroredSequence what the mirror holds by its own account: what the log has beyond is not yet there
 */
export async function compareEvents(
  log: AsyncIterable<readonly CheckedEvent[]>,
  mirror: AsyncIterable<readonly CheckedEvent[]>,
  mirroredSequence: number,
  tally: OpenTally,
): Promise<void> {
  const isDue = (event: CheckedEvent): boolean => event.sequenceNumber <= mirroredSequence;
  await compareSorted(log, mirror, numberOf, eventMembers, isDue, tally);
}

/** The same of batches. Both sources are read for it once more. */
export async function compareBatches(log: LogSource, mirror: LogSource, tally: OpenTally): Promise<void> {
  const isDue = (batch: LoggedBatch): boolean => batch.sequenceEnd <= mirror.head.sealedSequence;
  await compareSorted(readAhead(log.batches()), readAhead(mirror.batches()), startOf, batchMembers, isDue, tally);
}

/** Whether the mirrored keys of agents are those that are registered. A key that is not mirrored yet is no difference. */
export function compareKeys(registered: AgentKeys, mirrored: AgentKeys, tally: OpenTally): void {
  for (const [name, key] of mirrored) {
    tally.checked++;
    const expected = registered.get(name);
    if (expected === undefined) differ(tally, null, MISSING, THERE, `key ${name}`);
    else if (toHex(expected) !== toHex(key)) differ(tally, null, toHex(expected), toHex(key), `key ${name}`);
  }
}

/** Walks along two lists in the order of their numbers. */
async function compareSorted<Item>(
  log: AsyncIterable<readonly Item[]>,
  mirror: AsyncIterable<readonly Item[]>,
  place: (item: Item) => number,
  members: (item: Item) => Members,
  isDue: (item: Item) => boolean,
  tally: OpenTally,
): Promise<void> {
  const ours = itemsOf(log);
  const theirs = itemsOf(mirror);
  for (;;) {
    const [own, mirrored] = [await ours.peek(), await theirs.peek()];
    if (own === undefined && mirrored === undefined) return;
    if (own !== undefined && (mirrored === undefined || place(own) < place(mirrored))) {
      ours.take();
      if (!isDue(own)) continue;
      tally.checked++;
      differ(tally, place(own), THERE, MISSING);
    } else if (mirrored !== undefined) {
      theirs.take();
      tally.checked++;
      if (own === undefined || place(own) > place(mirrored)) {
        differ(tally, place(mirrored), MISSING, THERE);
        continue;
      }
      ours.take();
      compareMembers(members(own), members(mirrored), place(own), tally);
    }
  }
}

function compareMembers(log: Members, mirror: Members, number: number, tally: OpenTally): void {
  for (const [member, expected] of Object.entries(log)) {
    const found = mirror[member];
    if (expected === undefined || found === undefined || expected === found) continue;
    differ(tally, number, String(expected ?? "nothing"), String(found ?? "nothing"), member);
  }
}

function numberOf(event: CheckedEvent): number {
  return event.sequenceNumber;
}

function startOf(batch: LoggedBatch): number {
  return batch.sequenceStart;
}

/** By the names of the mirror's columns. */
function eventMembers({ envelope, ...event }: CheckedEvent): Members {
  return {
    event_id: envelope.event_id,
    sequenced_at: event.sequencedAt,
    receipt_key_version: event.receiptKeyVersion ?? undefined,
    ves_version: envelope.ves_version,
    source_agent_id: envelope.source_agent_id,
    agent_key_id: envelope.agent_key_id,
    entity_type: envelope.entity_type,
    entity_id: envelope.entity_id,
    entity_version: event.entityVersion ?? event.derivedVersion,
    event_type: envelope.event_type,
    created_at: envelope.created_at,
    payload_kind: envelope.payload_kind,
    payload: typeof event.payloadText === "string" ? event.payloadText : undefined,
    payload_plain_hash: toHex(envelope.payload_plain_hash),
    payload_cipher_hash: toHex(envelope.payload_cipher_hash),
    event_signing_hash: hexOrNull(event.signingHash ?? event.derivedHash),
    agent_signature: toHex(envelope.agent_signature),
    signature_scheme: envelope.agent_signature_scheme ?? null,
    signature_bundle: bundleText(envelope.agent_signature_bundle),
    command_id: envelope.command_id ?? null,
    base_version: envelope.base_version ?? null,
  };
}

function batchMembers(batch: LoggedBatch): Members {
  return {
    sequence_end: batch.sequenceEnd,
    batch_id: batch.batchId,
    ves_version: batch.vesVersion,
    leaf_count: batch.leafCount,
    merkle_root: toHex(batch.merkleRoot),
    prev_state_root: toHex(batch.prevStateRoot),
    new_state_root: toHex(batch.newStateRoot),
    committed_at: batch.committedAt,
  };
}

function hexOrNull(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : toHex(bytes);
}

/** Members in the order they were sent. */
function bundleText(bundle: object | undefined): string | null {
  return bundle === undefined ? null : JSON.stringify(bundle);
}
