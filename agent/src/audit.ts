import {
  envelopeFromMembers,
  envelopeProblem,
  equalBytes,
  eventSigningHash,
  leafHasher,
  type LeafParts,
  type Receipt,
  toHex,
  VesError,
  ZERO_32,
} from "../../src/ves/index.ts";
import { loggedEvent, receiptForm } from "./answers.ts";
import { throwIfAborted } from "./errors.ts";
import { placeProblem } from "./place-problem.ts";
import { receiptProblem } from "./receipt-problem.ts";
import { batchProblem, type Sealed } from "./sealed.ts";
import { PULLED_SEQUENCE, SEALED_SEQUENCE, STATE_ROOT } from "./state-keys.ts";
import type { AgentStore, OutboxRow, PulledRow, StreamRef, StreamTables } from "./store/store.ts";

/** What an audit has looked at, and what it found. */
export interface Audit {
  /** Events of the log whose hashes were computed again. */
  readonly events: number;
  /** Receipts of own events that were verified again. */
  readonly receipts: number;
  /** Sealed batches whose roots were computed again. */
  readonly batches: number;
  /** Up to here the log is sealed. */
  readonly sealedSequence: number;
  /** State root that follows from all of it, hex. */
  readonly stateRoot: string;
  /** What does not hold, in sentences; the audit ends after {@link MAX_PROBLEMS}. */
  readonly problems: readonly string[];
}

export interface AuditSettings {
  /** The sequencer's public keys by version, 32 bytes each. */
  readonly sequencerKeys: ReadonlyMap<number, Uint8Array>;
  /** Told how many more events and receipts were looked at. */
  readonly onProgress?: (looked: number) => void;
  readonly signal?: AbortSignal | undefined;
}

export const MAX_PROBLEMS = 20;

/** Rows of one read of the store. */
const CHUNK = 1_000;

/**
 * Derives an agent's copy of a log again, from its events alone and without asking anybody: every event's content and leaf, every
 * batch's root, the chain of state roots from the first batch on, and the receipts of its own events. It finds what was damaged or
 * changed in the store.
 *
 * @throws AgentError ABORTED; Error when the store cannot be read
 */
export async function auditStore(store: AgentStore, stream: StreamRef, settings: AuditSettings): Promise<Audit> {
  const problems: string[] = [];
  const read = <T>(body: (tables: StreamTables) => T): T => store.transaction(stream, body);
  const events = await auditEvents(read, leafHasher(stream), problems, settings);
  const { batches, sealed } = await auditBatches(read, stream, problems, settings);
  const receipts = await auditReceipts(read, stream, problems, settings);
  return {
    events,
    receipts,
    batches,
    sealedSequence: sealed.sequence,
    stateRoot: toHex(sealed.stateRoot),
    problems: problems.slice(0, MAX_PROBLEMS),
  };
}

type Read = <T>(body: (tables: StreamTables) => T) => T;

/** @returns how many were looked at */
async function auditEvents(
  read: Read,
  leafOf: (event: LeafParts) => Uint8Array,
  problems: string[],
  { onProgress, signal }: AuditSettings,
): Promise<number> {
  let next = 1;
  for (;;) {
    await turn(signal);
    const rows = read((tables) => tables.pulled({ from: next, limit: CHUNK }));
    for (const row of rows) {
      const problem = row.sequenceNumber === next ? eventProblem(row, leafOf) : `stands where ${next} should`;
      if (problem !== undefined) problems.push(`Event ${row.sequenceNumber} of the copy of the log ${problem}`);
      next = row.sequenceNumber + 1;
    }
    onProgress?.(rows.length);
    if (rows.length < CHUNK || problems.length >= MAX_PROBLEMS) break;
  }
  const pulled = Number(read((tables) => tables.state(PULLED_SEQUENCE)) ?? 0);
  if (pulled !== next - 1 && problems.length === 0) {
    problems.push(`The copy of the log ends at ${next - 1}, and was pulled up to ${pulled}`);
  }
  return next - 1;
}

function eventProblem(row: PulledRow, leafOf: (event: LeafParts) => Uint8Array): string | undefined {
  try {
    const parsed = loggedEvent.safeParse(JSON.parse(row.envelope));
    if (!parsed.success) return "is malformed";
    const event = envelopeFromMembers(parsed.data);
    const { sequenceNumber } = row;
    const signed = { sequenceNumber, eventSigningHash: eventSigningHash(event), agentSignature: event.agent_signature };
    const isNamed =
      event.event_id === row.eventId && event.entity_type === row.entityType && event.entity_id === row.entityId;
    if (!isNamed || !equalBytes(leafOf(signed), row.leafHash)) return "is not the one that was checked";
    // One in quarantine is known not to be sound.
    return row.quarantine === null ? envelopeProblem(event)?.message : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof VesError) return "is malformed";
    throw error;
  }
}

async function auditBatches(
  read: Read,
  stream: StreamRef,
  problems: string[],
  { signal }: AuditSettings,
): Promise<{ readonly batches: number; readonly sealed: Sealed }> {
  let sealed: Sealed = { sequence: 0, stateRoot: ZERO_32 };
  const noted = read((tables) => ({
    sequence: Number(tables.state(SEALED_SEQUENCE) ?? 0),
    stateRoot: tables.state(STATE_ROOT) ?? toHex(ZERO_32),
  }));
  let batches = 0;
  for (; problems.length < MAX_PROBLEMS && sealed.sequence < noted.sequence; batches++) {
    await turn(signal);
    const before = sealed;
    const found = read((tables) => {
      const batch = tables.batchOf(before.sequence + 1);
      return batch && { batch, leaves: tables.leaves(batch.sequenceStart, batch.sequenceEnd) };
    });
    if (found === undefined) {
      problems.push(`The sealed batch from ${before.sequence + 1} is missing`);
      return { batches, sealed };
    }
    const { batch, leaves } = found;
    const claimed = {
      sequence_start: batch.sequenceStart,
      sequence_end: batch.sequenceEnd,
      merkle_root: batch.merkleRoot,
      // The store keeps the roots after each batch only: the one before is that of the batch before.
      prev_state_root: before.stateRoot,
      new_state_root: batch.newStateRoot,
    };
    const problem =
      leaves.length === batch.sequenceEnd - batch.sequenceStart + 1
        ? batchProblem(stream, claimed, before, leaves)
        : `The batch ${batch.sequenceStart} to ${batch.sequenceEnd} lacks events`;
    if (problem !== undefined) problems.push(problem);
    sealed = { sequence: batch.sequenceEnd, stateRoot: batch.newStateRoot };
  }
  if (problems.length === 0 && toHex(sealed.stateRoot) !== noted.stateRoot) {
    problems.push("The state root that was noted is not the one that follows from the batches");
  }
  return { batches, sealed };
}

/** @returns how many were looked at */
async function auditReceipts(
  read: Read,
  stream: StreamRef,
  problems: string[],
  { sequencerKeys, onProgress, signal }: AuditSettings,
): Promise<number> {
  let count = 0;
  let afterId = 0;
  while (problems.length < MAX_PROBLEMS) {
    await turn(signal);
    const { rows, misplaced } = read((tables) => {
      const accepted = tables.outbox({ state: "accepted", afterId, limit: CHUNK });
      const places = accepted.map(({ eventId, remoteSequence }) =>
        remoteSequence === null ? undefined : placeProblem(tables, eventId, remoteSequence),
      );
      return { rows: accepted, misplaced: places };
    });
    const found = await Promise.all(rows.map((row) => ownReceiptProblem(stream, row, sequencerKeys)));
    problems.push(...[...found, ...misplaced].filter((problem) => problem !== undefined));
    count += rows.length;
    onProgress?.(rows.length);
    const last = rows.at(-1);
    if (last === undefined || rows.length < CHUNK) break;
    afterId = last.id;
  }
  return count;
}

async function ownReceiptProblem(
  stream: StreamRef,
  { eventId, signingHash, receipt, remoteSequence }: OutboxRow,
  sequencerKeys: ReadonlyMap<number, Uint8Array>,
): Promise<string | undefined> {
  const kept = receiptOf(receipt);
  const name = `The receipt of event ${eventId}`;
  if (kept === undefined) return `${name} is missing or malformed`;
  if (kept.sequenceNumber !== remoteSequence) return `${name} is for another number than was noted`;
  const subject = { ...stream, eventId, eventSigningHash: signingHash };
  const problem = await receiptProblem(subject, kept, sequencerKeys.get(kept.sequencerKeyVersion));
  return problem === undefined ? undefined : `${name} ${problem}`;
}

function receiptOf(text: string | null): Receipt | undefined {
  try {
    return receiptForm.safeParse(JSON.parse(text ?? "null")).data;
  } catch {
    return undefined;
  }
}

/** Lets whatever else waits have its turn: reading and hashing would hold everything up otherwise. */
async function turn(signal: AbortSignal | undefined): Promise<void> {
  await new Promise((resolve) => void setTimeout(resolve, 0));
  throwIfAborted(signal);
}
