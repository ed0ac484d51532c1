import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { call, type Server } from "../../../scripts/lib/client.ts";
import { blob, blobOrNull, integer, type SqlRow, text } from "../../../src/storage/sql-store.ts";
import { ENTITY_STRIDE } from "../../../src/stream/entity-stride.ts";
import { openPayload } from "../../../src/at-rest/open-payload.ts";
import { eventFromRow, withContent } from "../../../src/stream/event-row.ts";
import type { SequencedEvent } from "../../../src/stream/messages.ts";
import type { StreamRef } from "../../../src/stream-ref.ts";
import {
  contentProblem,
  equalBytes,
  eventSigningHash,
  type Receipt,
  signatureProblem,
  toHex,
  toRfc3339Offset,
  toWireEnvelope,
  uuidFromBytes,
  verifyReceipt,
  type WireEnvelope,
} from "../../../src/ves/index.ts";
import { nodeStore } from "../../support/node-store.ts";
import { batchProblems } from "./derive-batches.ts";
import { payloadKeyring } from "./processes.ts";

/*
 * Re-derives a stream's log from its raw storage, for tests that do harm to the server in between. Everything that the
 * schema stores beside the events themselves (hashes, versions, chains, the tables entities, commands and batches) is
 * computed again from the events alone, by the plainest code there is, and compared. Problems come as sentences, so that a test
 * asserts an empty list and a control asserts the sentence.
 */

/** The tables of one StreamSequencer, as they are on disk. */
export interface StoredLog {
  readonly events: readonly SqlRow[];
  readonly entities: readonly SqlRow[];
  readonly commands: readonly SqlRow[];
  readonly batches: readonly SqlRow[];
  readonly mirrorState: readonly SqlRow[];
}

/** Of a stream that was never written to. */
export const EMPTY_LOG: StoredLog = { events: [], entities: [], commands: [], batches: [], mirrorState: [] };

/** An event as it was pushed, with the receipt that answered it. */
export interface Acknowledged {
  readonly event: WireEnvelope;
  readonly receipt: Receipt;
}

/** An event as the server reads it back. */
export type ServedEvent = WireEnvelope & { readonly sequence_number: number; readonly sequenced_at: string };

/** Public keys by `agent id/key id`. */
export type AgentKeys = ReadonlyMap<string, Uint8Array>;

/** The SQLite files of all streams under a server's data directory. */
export function streamFiles(dataDirectory: string): string[] {
  const objects = join(dataDirectory, "do");
  return readdirSync(objects)
    .filter((name) => name.endsWith("StreamSequencer"))
    .flatMap((name) => readdirSync(join(objects, name)).map((file) => join(objects, name, file)))
    .filter((path) => /^[0-9a-f]{64}\.sqlite$/.test(basename(path)));
}

/**
 * Reads a stream's file while its server is down. It works on a copy with its write-ahead log: opening the file itself
 * would recover it, and recovering is what the server is to do.
 */
export function readStoredLog(file: string): StoredLog {
  const directory = mkdtempSync(join(tmpdir(), "sequencer-log-"));
  try {
    const copy = join(directory, "log.sqlite");
    copyFileSync(file, copy);
    if (existsSync(`${file}-wal`)) copyFileSync(`${file}-wal`, `${copy}-wal`);
    const store = nodeStore(copy);
    try {
      const verdict = store.exec("PRAGMA integrity_check").map((row) => text(row["integrity_check"]));
      if (!isDeepStrictEqual(verdict, ["ok"])) throw new Error(`SQLite finds ${file} damaged: ${verdict.join("; ")}`);
      // Killed before its first commit, an object leaves a file without tables.
      if (store.exec("SELECT 1 FROM sqlite_schema WHERE name = 'events'").length === 0) return EMPTY_LOG;
      return {
        events: store.exec("SELECT * FROM events NOT INDEXED ORDER BY sequence_number"),
        entities: store.exec("SELECT * FROM entities"),
        commands: store.exec("SELECT * FROM commands"),
        batches: store.exec("SELECT * FROM batches NOT INDEXED ORDER BY sequence_start"),
        mirrorState: store.exec("SELECT * FROM mirror_state"),
      };
    } finally {
      store.close();
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** What is wrong with a log in itself: its numbers, its events, and everything that follows from them. */
export async function logProblems(log: StoredLog, stream: StreamRef, keys: AgentKeys): Promise<string[]> {
  const problems = [
    ...numberProblems(log),
    ...entityProblems(log),
    ...commandProblems(log),
    ...batchProblems(log, stream),
  ];
  for (const row of log.events) problems.push(...(await eventProblems(row, stream, keys)));
  return problems;
}

/** What is wrong with a log by what its server has answered: each receipt must verify, and its event be at its number. */
export async function receiptProblems(
  log: StoredLog,
  stream: StreamRef,
  acknowledged: Iterable<Acknowledged>,
  sequencerKey: Uint8Array,
): Promise<string[]> {
  const problems: string[] = [];
  for (const { event, receipt } of acknowledged) {
    const name = `acknowledged event ${event.event_id}`;
    const row = log.events[receipt.sequenceNumber - 1];
    if (row === undefined) {
      problems.push(`${name}: the log ends before its number ${receipt.sequenceNumber}`);
      continue;
    }
    const stored = await openRow(row, stream);
    if (stored.sequenceNumber !== receipt.sequenceNumber || stored.envelope.event_id !== event.event_id) {
      problems.push(`${name}: another event is at its number ${receipt.sequenceNumber}`);
      continue;
    }
    if (!isDeepStrictEqual(toWireEnvelope(stored.envelope), event)) problems.push(`${name}: is stored altered`);
    if (toRfc3339Offset(stored.sequencedAt) !== receipt.sequencedAt) problems.push(`${name}: has another time`);
    const verdict = await verifyReceipt(receipt, stored.envelope, sequencerKey);
    if (!verdict.valid) problems.push(`${name}: its receipt does not verify: ${verdict.problem}`);
  }
  return problems;
}

/** The whole log as the server reads it back, page by page. */
export async function readServedLog(server: Server, { tenantId, storeId }: StreamRef): Promise<ServedEvent[]> {
  const served: ServedEvent[] = [];
  for (let from = 1; ;) {
    const page = await call<{ events: { envelope: ServedEvent }[]; has_more: boolean; next_sequence: number }>(
      server,
      "GET",
      `/api/v1/ves/events?tenant_id=${tenantId}&store_id=${storeId}&from=${from}&limit=1000`,
    );
    served.push(...page.events.map(({ envelope }) => envelope));
    if (!page.has_more) return served;
    from = page.next_sequence;
  }
}

/** Where what a server served differs from the log read from its storage later on, which may have grown since. */
export async function servedProblems(
  served: readonly ServedEvent[],
  log: StoredLog,
  stream: StreamRef,
): Promise<string[]> {
  const problems: string[] = [];
  for (const [index, event] of served.entries()) {
    const row = log.events[index];
    if (row === undefined) {
      problems.push(`served event ${index + 1}: not in the log`);
      continue;
    }
    const { envelope, sequenceNumber, sequencedAt } = await openRow(row, stream);
    const stored = {
      ...toWireEnvelope(envelope),
      sequence_number: sequenceNumber,
      sequenced_at: toRfc3339Offset(sequencedAt),
    };
    if (!isDeepStrictEqual(event, stored)) problems.push(`served event ${index + 1}: differs from the stored one`);
  }
  return problems;
}

/** The event of a row, decrypted with the keys of the servers under test; without its content when it does not decrypt. */
async function openRow(row: SqlRow, stream: StreamRef): Promise<SequencedEvent> {
  const stored = eventFromRow(row, stream);
  const opened = await openPayload(payloadKeyring(), stream, stored.envelope, stored.payload);
  return opened.kind === "opened" ? withContent(stored, opened.text) : stored;
}

function numberProblems({ events }: StoredLog): string[] {
  const problems: string[] = [];
  const seen = new Set<string>();
  for (const [index, row] of events.entries()) {
    const number = integer(row["sequence_number"]);
    if (number !== index + 1) problems.push(`gap: number ${number} stands where ${index + 1} should`);
    const id = toHex(blob(row["event_id"]));
    if (seen.has(id)) problems.push(`number ${number}: its event id occurs twice`);
    seen.add(id);
  }
  return problems;
}

async function eventProblems(row: SqlRow, stream: StreamRef, keys: AgentKeys): Promise<string[]> {
  const { envelope, signingHash, sequenceNumber } = await openRow(row, stream);
  const found: (string | undefined)[] = [];
  if (!equalBytes(eventSigningHash(envelope), signingHash)) found.push("its signing hash is that of another event");
  if (typeof row["payload"] === "string") found.push("its payload is not encrypted");
  found.push(contentProblem(envelope)?.message);
  const key = keys.get(`${envelope.source_agent_id}/${envelope.agent_key_id}`);
  if (key === undefined) found.push("no agent of this test has its key");
  else found.push((await signatureProblem(envelope, key))?.message);
  return found.flatMap((problem) => (problem === undefined ? [] : [`number ${sequenceNumber}: ${problem}`]));
}

/** Entities by walking the log forwards: what an entity's version is, and its chain's two links, follow from that alone. */
function entityProblems({ events, entities }: StoredLog): string[] {
  const problems: string[] = [];
  const numbersOf = new Map<string, number[]>();
  for (const row of events) {
    const number = integer(row["sequence_number"]);
    const key = JSON.stringify([row["entity_type"], row["entity_id"]]);
    const numbers = numbersOf.get(key) ?? [];
    numbersOf.set(key, numbers);
    const expected = {
      entity_version: numbers.length + 1,
      previous_sequence: numbers.at(-1) ?? null,
      skip_sequence: skipOf(numbers),
    };
    for (const [column, value] of Object.entries(expected)) {
      if (row[column] !== value)
        problems.push(`number ${number}: ${column} is ${JSON.stringify(row[column])}, not ${value}`);
    }
    if (row["base_version"] !== null && row["base_version"] !== numbers.length) {
      problems.push(
        `number ${number}: accepted for version ${JSON.stringify(row["base_version"])} of an entity at another`,
      );
    }
    numbers.push(number);
  }
  const expected = Array.from(numbersOf, ([key, numbers]) => {
    const [type, id] = JSON.parse(key) as [string, string];
    return JSON.stringify([type, id, numbers.length, numbers.at(-1), skipOf(numbers)]);
  });
  const stored = entities.map((row) =>
    JSON.stringify([row["entity_type"], row["entity_id"], row["version"], row["last_sequence"], row["skip_sequence"]]),
  );
  return [...problems, ...tableProblems("entities", stored, expected)];
}

/** The latest event, among these of one entity, whose version is a multiple of the stride. */
function skipOf(numbers: readonly number[]): number | null {
  return numbers[Math.floor(numbers.length / ENTITY_STRIDE) * ENTITY_STRIDE - 1] ?? null;
}

function commandProblems({ events, commands }: StoredLog): string[] {
  const expected = events.flatMap((row) => {
    const id = blobOrNull(row["command_id"]);
    return id === null ? [] : [`${uuidFromBytes(id)} ${integer(row["sequence_number"])}`];
  });
  const stored = commands.map((row) => `${uuidFromBytes(blob(row["command_id"]))} ${integer(row["sequence_number"])}`);
  const isReused = new Set(expected.map((line) => line.split(" ")[0])).size < expected.length;
  return [...(isReused ? ["a command was accepted twice"] : []), ...tableProblems("commands", stored, expected)];
}

function tableProblems(table: string, stored: readonly string[], expected: readonly string[]): string[] {
  const has = new Set(stored);
  const wants = new Set(expected);
  return [
    ...expected.filter((row) => !has.has(row)).map((row) => `${table}: lacks ${row}`),
    ...stored.filter((row) => !wants.has(row)).map((row) => `${table}: has ${row}, which follows from no event`),
  ];
}
