import type { Client } from "pg";
import { openPayload } from "../../src/at-rest/open-payload.ts";
import type { PayloadKeyring, PayloadKeyrings } from "../../src/at-rest/payload-keyrings.ts";
import type { StreamRef } from "../../src/stream-ref.ts";
import { type Envelope, type SignatureBundle, toRfc3339Offset, ZERO_32 } from "../../src/ves/index.ts";
import {
  agentKeyName,
  type AgentKeys,
  type Alteration,
  type LoggedBatch,
  type LoggedEvent,
  type LogSource,
  SourceError,
} from "./log-source.ts";

/** Text is read as it is, and what is encrypted is not. */
const NO_KEYS: PayloadKeyring = { current: null, keys: new Map(), readsText: true };

/** Rows asked for at a time, and bytes of payload among them, so that a page fits in memory. */
const EVENTS_PER_PAGE = 1_000;
const PAGE_BYTES = 8 * 1024 * 1024;
const BATCHES_PER_PAGE = 1_000;

/** Payloads can be 1 MiB each: the page ends before the row with which they would be too many, but has one. */
const EVENTS = `
  SELECT * FROM (
    SELECT *, sum(payload_bytes) OVER (ORDER BY sequence_number) - payload_bytes AS bytes_before
      FROM (SELECT *, coalesce(octet_length(payload), octet_length(payload_encrypted)) AS payload_bytes
              FROM ves_events WHERE tenant_id = $1 AND store_id = $2 AND sequence_number > $3
             ORDER BY sequence_number LIMIT ${EVENTS_PER_PAGE}) AS page
  ) AS measured
  WHERE bytes_before < ${PAGE_BYTES} ORDER BY sequence_number`;

const BATCHES = `
  SELECT * FROM ves_commitments WHERE tenant_id = $1 AND store_id = $2 AND sequence_start > $3
   ORDER BY sequence_start LIMIT ${BATCHES_PER_PAGE}`;

/** Hops from stream to stream along the primary key: events are too many to be looked at for this. */
const STREAMS = `
  WITH RECURSIVE written AS (
    (SELECT tenant_id, store_id FROM ves_events ORDER BY tenant_id, store_id LIMIT 1)
    UNION ALL
    SELECT next.* FROM written, LATERAL (
      SELECT tenant_id, store_id FROM ves_events
       WHERE (tenant_id, store_id) > (written.tenant_id, written.store_id)
       ORDER BY tenant_id, store_id LIMIT 1) AS next
  )
  SELECT tenant_id, store_id FROM written
  UNION SELECT tenant_id, store_id FROM ves_commitments
  UNION SELECT tenant_id, store_id FROM stores
  UNION SELECT tenant_id, store_id FROM ves_frozen_streams
  UNION SELECT tenant_id, store_id FROM ves_alterations
  ORDER BY tenant_id, store_id`;

interface EventRow {
  readonly sequence_number: string;
  readonly event_id: string;
  readonly sequenced_at: Date;
  readonly receipt_key_version: number;
  readonly ves_version: number;
  readonly source_agent_id: string;
  readonly agent_key_id: string;
  readonly entity_type: string;
  readonly entity_id: string;
  readonly entity_version: string;
  readonly event_type: string;
  readonly created_at: string;
  readonly payload_kind: number;
  readonly payload: string | null;
  readonly payload_encrypted: Uint8Array | null;
  readonly payload_plain_hash: Uint8Array;
  readonly payload_cipher_hash: Uint8Array | null;
  readonly event_signing_hash: Uint8Array;
  readonly agent_signature: Uint8Array;
  readonly signature_scheme: number | null;
  readonly signature_bundle: string | null;
  readonly command_id: string | null;
  readonly base_version: string | null;
}

interface CommitmentRow {
  readonly batch_id: string;
  readonly ves_version: number;
  readonly sequence_start: string;
  readonly sequence_end: string;
  readonly leaf_count: number;
  readonly merkle_root: Uint8Array;
  readonly prev_state_root: Uint8Array;
  readonly new_state_root: Uint8Array;
  readonly committed_at: Date;
}

/** Every stream that the database knows of. @throws SourceError */
export async function listStreams(client: Client): Promise<StreamRef[]> {
  const rows = await select<{ tenant_id: string; store_id: string }>(client, STREAMS, []);
  return rows.map(({ tenant_id, store_id }) => ({ tenantId: tenant_id, storeId: store_id }));
}

/**
 * A stream as the mirror holds it, at the moment of the first statement of the transaction that `client` is in: see
 * {@link inSnapshot}.
 *
 * @param payloadKeys to decrypt with; null: encrypted payloads are left out
 * @throws SourceError
 */
export async function openPostgresSource(
  client: Client,
  stream: StreamRef,
  payloadKeys: PayloadKeyrings | null,
): Promise<LogSource> {
  const ids = [stream.tenantId, stream.storeId];
  const keyring = payloadKeys?.(stream.tenantId) ?? NO_KEYS;
  const [end] = await select<{ sealed: string | null }>(
    client,
    "SELECT max(sequence_end) AS sealed FROM ves_commitments WHERE tenant_id = $1 AND store_id = $2",
    ids,
  );
  const [frozen] = await select<{ reason: string }>(
    client,
    "SELECT reason FROM ves_frozen_streams WHERE tenant_id = $1 AND store_id = $2",
    ids,
  );
  // Events arrive with the batch that covers them, in one transaction.
  const sealedSequence = Number(end?.sealed ?? 0);
  return {
    name: "database",
    stream,
    head: { headSequence: sealedSequence, sealedSequence, stateRoot: null, frozen: frozen?.reason ?? null },
    hasReceipts: false,
    events: () => eventPages(client, stream, keyring),
    batches: () => batchPages(client, stream),
    agentKeys: await readAgentKeys(client, stream.tenantId),
    sequencerKeys: new Map(),
    alterations: await readAlterations(client, ids),
  };
}

/** Runs `work` on one unchanging state of the database, which it cannot change. @throws SourceError */
export async function inSnapshot<T>(client: Client, work: () => Promise<T>): Promise<T> {
  await select(client, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", []);
  try {
    return await work();
  } finally {
    await client.query("ROLLBACK").catch(() => undefined);
  }
}

async function readAgentKeys(client: Client, tenantId: string): Promise<AgentKeys> {
  const rows = await select<{ agent_id: string; key_id: string; public_key: Uint8Array }>(
    client,
    "SELECT agent_id, key_id, public_key FROM agent_signing_keys WHERE tenant_id = $1",
    [tenantId],
  );
  return new Map(rows.map(({ agent_id, key_id, public_key }) => [agentKeyName(agent_id, Number(key_id)), public_key]));
}

async function readAlterations(client: Client, ids: readonly string[]): Promise<Alteration[]> {
  const rows = await select<{
    table_name: string;
    sequence_number: string;
    operation: string;
    altered_at: Date;
    altered_by: string;
  }>(client, "SELECT * FROM ves_alterations WHERE tenant_id = $1 AND store_id = $2 ORDER BY id", ids);
  return rows.map((row) => ({
    table: row.table_name,
    sequenceNumber: Number(row.sequence_number),
    operation: row.operation,
    alteredAt: timeText(row.altered_at),
    alteredBy: row.altered_by,
  }));
}

async function* eventPages(
  client: Client,
  stream: StreamRef,
  keyring: PayloadKeyring,
): AsyncGenerator<readonly LoggedEvent[]> {
  let last = Number.MIN_SAFE_INTEGER;
  for (;;) {
    const rows = await select<EventRow>(client, EVENTS, [stream.tenantId, stream.storeId, last]);
    if (rows.length === 0) return;
    const page = await Promise.all(rows.map((row) => eventOf(row, stream, keyring)));
    last = page.at(-1)?.sequenceNumber ?? last;
    yield page;
  }
}

async function* batchPages(client: Client, stream: StreamRef): AsyncGenerator<readonly LoggedBatch[]> {
  let last = Number.MIN_SAFE_INTEGER;
  for (;;) {
    const rows = await select<CommitmentRow>(client, BATCHES, [stream.tenantId, stream.storeId, last]);
    if (rows.length === 0) return;
    const page = rows.map(batchOf);
    last = page.at(-1)?.sequenceStart ?? last;
    yield page;
  }
}

async function eventOf(row: EventRow, stream: StreamRef, keyring: PayloadKeyring): Promise<LoggedEvent> {
  const envelope: Omit<Envelope, "payload" | "payload_encrypted"> = {
    ves_version: row.ves_version,
    event_id: row.event_id,
    tenant_id: stream.tenantId,
    store_id: stream.storeId,
    source_agent_id: row.source_agent_id,
    agent_key_id: Number(row.agent_key_id),
    entity_type: row.entity_type,
    entity_id: row.entity_id,
    event_type: row.event_type,
    created_at: row.created_at,
    // Whatever number stands there is hashed, and shows as a difference if it is no kind.
    payload_kind: row.payload_kind as 0 | 1,
    payload_plain_hash: row.payload_plain_hash,
    payload_cipher_hash: row.payload_cipher_hash ?? ZERO_32,
    agent_signature: row.agent_signature,
    ...(row.signature_scheme === null ? {} : { agent_signature_scheme: row.signature_scheme }),
    ...(row.signature_bundle === null ? {} : { agent_signature_bundle: bundleOf(row.signature_bundle) }),
    ...(row.command_id === null ? {} : { command_id: row.command_id }),
    ...(row.base_version === null ? {} : { base_version: Number(row.base_version) }),
  };
  const opened = await openPayload(keyring, stream, envelope, row.payload ?? row.payload_encrypted ?? "");
  return {
    sequenceNumber: Number(row.sequence_number),
    sequencedAt: timeText(row.sequenced_at),
    envelope,
    payloadText: opened.kind === "opened" ? opened.text : opened,
    receipt: null,
    receiptKeyVersion: row.receipt_key_version,
    entityVersion: Number(row.entity_version),
    signingHash: row.event_signing_hash,
  };
}

/** A text that is no JSON equals no bundle. */
function bundleOf(text: string): SignatureBundle {
  try {
    return JSON.parse(text) as SignatureBundle;
  } catch {
    return { unreadable: text } as SignatureBundle;
  }
}

function batchOf(row: CommitmentRow): LoggedBatch {
  return {
    batchId: row.batch_id,
    vesVersion: row.ves_version,
    sequenceStart: Number(row.sequence_start),
    sequenceEnd: Number(row.sequence_end),
    leafCount: row.leaf_count,
    treeDepth: null,
    paddedLeafCount: null,
    merkleRoot: row.merkle_root,
    prevStateRoot: row.prev_state_root,
    newStateRoot: row.new_state_root,
    committedAt: timeText(row.committed_at),
  };
}

/** Postgres knows times that no log holds, such as infinity. */
function timeText(time: Date): string {
  const ms = Number(time);
  return ms >= -62_167_219_200_000 && ms < 253_402_300_800_000 ? toRfc3339Offset(ms) : String(time);
}

async function select<Row extends object>(
  client: Client,
  sql: string,
  values: readonly (string | number)[],
): Promise<Row[]> {
  try {
    return (await client.query<Row>(sql, [...values])).rows;
  } catch (error) {
    throw databaseError(error);
  }
}

/** What the driver says, as a sentence. */
export function databaseError(error: unknown): SourceError {
  const { code, message } = error as Error & { readonly code?: string };
  if (code === "42P01") {
    return new SourceError("The database does not hold the sequencer's tables: run npm run admin -- migrate.", {
      cause: error,
    });
  }
  return new SourceError(`The database cannot be read: ${message || code || "no connection"}.`, { cause: error });
}
