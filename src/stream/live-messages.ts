import { openPayload, type PayloadProblem } from "../at-rest/open-payload.ts";
import type { PayloadKeyring } from "../at-rest/payload-keyrings.ts";
import type { SqlStore } from "../storage/sql-store.ts";
import { toHex, treeDepth, utf8 } from "../ves/index.ts";
import { batchFrom, coveringBatch, proofReader } from "./batches.ts";
import { withContent } from "./event-row.ts";
import { MAX_FRAME_BYTES } from "./live-credit.ts";
import type { LivePosition } from "./live-subscription.ts";
import type { SequencedEvent, StoredBatch, StoredEvent } from "./messages.ts";
import { matchingNumbers, readEvents } from "./read.ts";
import type { StreamRef } from "../stream-ref.ts";
import { commitmentOf, leafCountOf, sequencedEnvelope } from "./wire-json.ts";

/** Of one message. Envelope and JSON take about 1 KiB of each beside its payload. */
const MAX_EVENTS = 256;
const ENVELOPE_BYTES = 1_024;
/** More than all there is in a message of events beside them. */
const WRAPPER_BYTES = 200;
/** More than a proof takes as JSON beside its path, and each sibling on that. */
const PROOF_BYTES = 200;
const SIBLING_BYTES = 67;

/** What subscribers at a position are sent next, and where it brings them. */
export interface LiveMessage extends Pick<LivePosition, "sequence" | "proven"> {
  readonly kind: "message";
  /** Null: nothing of what lies in between passes the filters. */
  readonly text: string | null;
  /** As UTF-8. */
  readonly bytes: number;
}

/** An event whose payload cannot be decrypted. It is not left out: a log with a hole in it would pass for the log. */
export interface UnreadableEvent {
  readonly kind: "unreadable";
  readonly sequenceNumber: number;
  readonly problem: PayloadProblem;
}

export interface LiveSource {
  readonly store: SqlStore;
  readonly stream: StreamRef;
  readonly keyring: PayloadKeyring;
}

/** The message of what subscribers are told when their subscription begins. It is not acknowledged. */
export function subscribedText(
  { sequence, proven }: LivePosition,
  progress: { readonly head: number; readonly sealedSequence: number },
): string {
  return JSON.stringify({
    type: "subscribed",
    from: sequence + 1,
    proven,
    head_sequence: progress.head,
    sealed_sequence: progress.sealedSequence,
  });
}

/**
 * What comes next: the batch that all events were sent of, before the next events; null when there is neither. The store
 * must have its tables.
 */
export async function nextMessage(
  source: LiveSource,
  position: LivePosition,
  pageBytes: number,
): Promise<LiveMessage | UnreadableEvent | null> {
  const batch = coveringBatch(source.store, position.proven + 1);
  const known =
    batch !== null && batch.sequenceEnd <= position.sequence ? batchFrom(source.store, batch.sequenceStart) : null;
  return known === null ? eventsMessage(source, position, pageBytes) : batchMessage(source, position, known, pageBytes);
}

async function eventsMessage(
  { store, stream, keyring }: LiveSource,
  { sequence, proven, filters }: LivePosition,
  pageBytes: number,
): Promise<LiveMessage | UnreadableEvent | null> {
  const limit = Math.min(MAX_EVENTS, Math.ceil(pageBytes / ENVELOPE_BYTES));
  const page = readEvents(store, stream, { from: sequence + 1, limit, maxBytes: pageBytes, ...filters });
  if (page.nextSequence <= sequence + 1) return null;
  const rows: string[] = [];
  let bytes = WRAPPER_BYTES;
  let end = page.nextSequence - 1;
  for (const stored of page.events) {
    const event = await opened(stored, stream, keyring);
    if (event.kind === "unreadable") return event;
    const row = rowText(event.event);
    const rowBytes = utf8(row).length + 1;
    if (bytes + rowBytes > MAX_FRAME_BYTES) {
      end = stored.sequenceNumber - 1;
      break;
    }
    bytes += rowBytes;
    rows.push(row);
  }
  if (rows.length === 0) return { kind: "message", text: null, bytes: 0, sequence: end, proven };
  const text = `{"type":"events","sequence":${end},"head_sequence":${page.head},"events":[${rows.join(",")}]}`;
  return { kind: "message", text, bytes, sequence: end, proven };
}

/** A row of a message of events. One that is too long for a message goes without its payload, which a read answers. */
function rowText(event: SequencedEvent): string {
  const { payload, payload_encrypted, ...envelope } = sequencedEnvelope(event);
  const content = payload_encrypted === undefined ? { payload } : { payload_encrypted };
  const text = JSON.stringify({ envelope: { ...envelope, ...content } });
  if (utf8(text).length < MAX_FRAME_BYTES - WRAPPER_BYTES) return text;
  return JSON.stringify({ envelope, payload_omitted: true });
}

async function opened(
  stored: StoredEvent,
  stream: StreamRef,
  keyring: PayloadKeyring,
): Promise<{ readonly kind: "opened"; readonly event: SequencedEvent } | UnreadableEvent> {
  const result = await openPayload(keyring, stream, stored.envelope, stored.payload);
  if (result.kind === "opened") return { kind: "opened", event: withContent(stored, result.text) };
  return { kind: "unreadable", sequenceNumber: stored.sequenceNumber, problem: result };
}

/**
 * A sealed batch with the proofs of its events that were sent, as many as fit. Whoever was sent all of its events needs none:
 * the root follows from the events.
 */
function batchMessage(
  { store, stream }: LiveSource,
  { sequence, proven, filters }: LivePosition,
  batch: StoredBatch,
  pageBytes: number,
): LiveMessage {
  const isWhole = proven < batch.sequenceStart && Object.values(filters).every((wanted) => wanted === undefined);
  const limit = Math.ceil(pageBytes / (PROOF_BYTES + SIBLING_BYTES * treeDepth(leafCountOf(batch))));
  const range = { from: proven + 1, to: batch.sequenceEnd, limit: limit + 1 };
  const numbers = isWhole ? [] : matchingNumbers(store, filters, range);
  const end = numbers.length > limit ? (numbers[limit - 1] ?? batch.sequenceEnd) : batch.sequenceEnd;
  const proofOf = proofReader(store);
  const proofs = numbers.slice(0, limit).map((number) => {
    const proof = proofOf(number);
    if (proof === null) throw new Error(`event ${number} lies in a sealed batch and has no proof`);
    const { leafIndex, leafHash, path } = proof;
    return {
      sequence_number: number,
      leaf_index: leafIndex,
      leaf_hash: toHex(leafHash),
      proof_path: path.map(toHex),
    };
  });
  const text = JSON.stringify({
    type: "batch",
    proven: end,
    commitment: commitmentOf({ stream, batch }),
    proofs: isWhole ? null : proofs,
  });
  return { kind: "message", text, bytes: text.length, sequence, proven: end };
}
