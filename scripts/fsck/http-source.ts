import type { z } from "zod";
import type { StreamRef } from "../../src/stream-ref.ts";
import { canonicalJson, envelopeFromMembers, type JsonObject, type JsonValue, VesError } from "../../src/ves/index.ts";
import type { Server } from "../lib/client.ts";
import {
  agentKeysAnswer,
  ask,
  type CommitmentRow,
  commitmentsAnswer,
  type EventRow,
  eventsAnswer,
  headAnswer,
  sequencerKeysAnswer,
} from "./http-answers.ts";
import {
  agentKeyName,
  type AgentKeys,
  type LoggedBatch,
  type LoggedEvent,
  type LogHead,
  type LogSource,
  type LogStart,
} from "./log-source.ts";

const EVENTS_PER_PAGE = 1_000;
const BATCHES_PER_PAGE = 1_000;
/** The server lists batches newest first; they are turned round in stretches of so many numbers. */
const STRETCH = 16_384;

/**
 * A stream as a running sequencer serves it.
 *
 * @param server with a key that may read the stream and its tenant's agent keys
 * @param options.from a number that is wanted. What comes before its batch is left out
 * @param options.to the last number that is wanted. What comes after its batch is left out
 * @throws SourceError
 */
export async function openHttpSource(
  server: Server,
  stream: StreamRef,
  options: { readonly receipts: boolean; readonly from?: number; readonly to?: number | undefined },
): Promise<LogSource> {
  const query = `tenant_id=${stream.tenantId}&store_id=${stream.storeId}`;
  const answer = await ask(server, `/api/v1/ves/head?${query}`, headAnswer);
  const head = await headUpTo(server, query, options.to ?? Infinity, {
    headSequence: answer.head_sequence,
    sealedSequence: answer.sealed_sequence,
    stateRoot: answer.state_root,
    frozen: answer.frozen ?? null,
  });
  const start = await startAt(server, query, options.from ?? 1);
  const sequencer = await ask(server, "/api/v1/sequencer/keys", sequencerKeysAnswer);
  // After the head: whoever signed an event up to there was registered before.
  const agentKeys = await readAgentKeys(server, stream.tenantId);
  return {
    name: "log",
    stream,
    head,
    start,
    hasReceipts: options.receipts,
    events: () => eventPages(server, query, [start.sequenceNumber, head.headSequence], options.receipts),
    batches: () => batchPages(server, query, [start.sequenceNumber, head.sealedSequence]),
    agentKeys,
    sequencerKeys: new Map(sequencer.keys.map(({ key_version, public_key }) => [key_version, public_key])),
    alterations: [],
  };
}

/** The batch that begins at a number or at the next one below that has a batch, and the one before. */
async function batchesAt(server: Server, query: string, sequenceNumber: number): Promise<readonly LoggedBatch[]> {
  const path = `/api/v1/ves/commitments?${query}&before=${sequenceNumber + 1}&limit=2`;
  return (await ask(server, path, commitmentsAnswer)).commitments.map(batchOf);
}

/** Where the batch of a number begins, or what is not sealed yet. */
async function startAt(server: Server, query: string, from: number): Promise<LogStart> {
  if (from <= 1) return { sequenceNumber: 1, previous: null };
  const [covering, previous = null] = await batchesAt(server, query, from);
  if (covering === undefined) return { sequenceNumber: 1, previous: null };
  if (covering.sequenceEnd < from) return { sequenceNumber: covering.sequenceEnd + 1, previous: covering };
  return { sequenceNumber: covering.sequenceStart, previous };
}

/** The head as it was when the batch of a number was the last. */
async function headUpTo(server: Server, query: string, to: number, head: LogHead): Promise<LogHead> {
  if (to >= head.sealedSequence) return head;
  const [covering] = await batchesAt(server, query, to);
  const end = covering?.sequenceEnd ?? head.sealedSequence;
  return { ...head, headSequence: end, sealedSequence: end, stateRoot: covering?.newStateRoot ?? null };
}

async function readAgentKeys(server: Server, tenantId: string): Promise<AgentKeys> {
  const { keys } = await ask(server, `/api/v1/agents/keys?tenant_id=${tenantId}`, agentKeysAnswer);
  return new Map(keys.map(({ agent_id, key_id, public_key }) => [agentKeyName(agent_id, key_id), public_key]));
}

async function* eventPages(
  server: Server,
  query: string,
  [first, last]: readonly [number, number],
  receipts: boolean,
): AsyncGenerator<readonly LoggedEvent[]> {
  for (let from = first; from <= last;) {
    const limit = Math.min(EVENTS_PER_PAGE, last - from + 1);
    const path = `/api/v1/ves/events?${query}&from=${from}&limit=${limit}${receipts ? "&receipts=true" : ""}`;
    const page = await ask(server, path, eventsAnswer);
    yield page.events.map(eventOf);
    // A server that goes in circles is taken for what it has given, and not asked for ever.
    if (!page.has_more || page.next_sequence <= from) return;
    from = page.next_sequence;
  }
}

async function* batchPages(
  server: Server,
  query: string,
  [first, last]: readonly [number, number],
): AsyncGenerator<readonly LoggedBatch[]> {
  for (let start = first; start <= last; start += STRETCH) {
    const newestFirst: LoggedBatch[] = [];
    let before: number | null = Math.min(start + STRETCH, last + 1);
    while (before !== null && before > start) {
      const path = `/api/v1/ves/commitments?${query}&before=${before}&limit=${BATCHES_PER_PAGE}`;
      const answer: z.output<typeof commitmentsAnswer> = await ask(server, path, commitmentsAnswer);
      newestFirst.push(...answer.commitments.map(batchOf).filter(({ sequenceStart }) => sequenceStart >= start));
      const next: number | null = answer.has_more ? answer.next_before : null;
      before = next === null || next >= before ? null : next;
    }
    yield newestFirst.toReversed();
  }
}

function eventOf({ envelope: members, receipt }: EventRow): LoggedEvent {
  const { payload, payload_encrypted, ...envelope } = envelopeFromMembers(members);
  return {
    sequenceNumber: members.sequence_number,
    sequencedAt: members.sequenced_at,
    envelope,
    payloadText: textOf((payload_encrypted as JsonObject | undefined) ?? payload ?? null),
    receipt: receipt ?? null,
    receiptKeyVersion: receipt?.sequencerKeyVersion ?? null,
    entityVersion: null,
    signingHash: null,
  };
}

function textOf(payload: JsonValue): string {
  try {
    return canonicalJson(payload);
  } catch (error) {
    // What has no canonical form has no hash either, and no text will match the declared one.
    if (error instanceof VesError) return JSON.stringify(payload);
    throw error;
  }
}

function batchOf(commitment: CommitmentRow): LoggedBatch {
  return {
    batchId: commitment.batch_id,
    vesVersion: commitment.ves_version,
    sequenceStart: commitment.sequence_start,
    sequenceEnd: commitment.sequence_end,
    leafCount: commitment.leaf_count,
    treeDepth: commitment.tree_depth,
    paddedLeafCount: commitment.padded_leaf_count,
    merkleRoot: commitment.merkle_root,
    prevStateRoot: commitment.prev_state_root,
    newStateRoot: commitment.new_state_root,
    committedAt: commitment.committed_at,
  };
}
