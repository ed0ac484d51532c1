import { Client } from "pg";
import { blob, blobOrNull, integer, type SqlRow } from "../../../src/storage/sql-store.ts";
import type { StreamRef } from "../../../src/stream-ref.ts";
import { toHex, uuidFromBytes } from "../../../src/ves/index.ts";
import type { StoredLog } from "./derive-log.ts";

/*
 * Compares what Postgres holds of a stream with the log that was read from the object's own file: row by row, column by
 * column, and nothing beyond it.
 */

type Row = Readonly<Record<string, unknown>>;

/** The tables of the mirror at one moment, of all streams, in order. */
export interface Mirror {
  readonly events: readonly Row[];
  readonly commitments: readonly Row[];
  readonly frozen: readonly Row[];
  readonly alterations: readonly Row[];
}

/** @param alteration statement that is undone afterwards */
export async function readMirror(url: string, alteration = ""): Promise<Mirror> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    // All tables as of one moment, though the server goes on writing.
    await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
    await client.query(alteration);
    const rows = async (query: string): Promise<Row[]> => (await client.query<Row>(query)).rows;
    return {
      events: await rows("SELECT * FROM ves_events ORDER BY tenant_id, store_id, sequence_number"),
      commitments: await rows("SELECT * FROM ves_commitments ORDER BY tenant_id, store_id, sequence_start"),
      frozen: await rows("SELECT * FROM ves_frozen_streams"),
      alterations: await rows("SELECT * FROM ves_alterations"),
    };
  } finally {
    await client.end();
  }
}

/** The columns of the tables that mirror a log. */
export async function mirrorColumns(url: string): Promise<{ table: string; column: string; type: string }[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ table: string; column: string; type: string }>(
      `SELECT table_name AS "table", column_name AS "column", data_type AS type FROM information_schema.columns
        WHERE table_name IN ('ves_events', 'ves_commitments')`,
    );
    return rows;
  } finally {
    await client.end();
  }
}

/** Where the mirror differs from a log. It may lag behind it: it may end after any batch, with exactly that batch's events. */
export function mirrorProblems(log: StoredLog, stream: StreamRef, mirror: Mirror): string[] {
  const commitments = ofStream(mirror.commitments, stream);
  const batches = log.batches.slice(0, commitments.length);
  const end = lastEnd(batches);
  const events = log.events.filter((row) => integer(row["sequence_number"]) <= end);
  return [
    ...tableProblems(
      "ves_commitments",
      commitments,
      batches.map((row) => commitmentOf(row, stream)),
    ),
    ...tableProblems(
      "ves_events",
      ofStream(mirror.events, stream),
      events.map((row) => eventOf(row, stream)),
    ),
    ...mirror.frozen.map((row) => `ves_frozen_streams: ${JSON.stringify(row)}`),
    ...mirror.alterations.map((row) => `ves_alterations: ${JSON.stringify(row)}`),
  ];
}

/** What the object takes for mirrored, and is not. */
export function noteProblems(log: StoredLog, stream: StreamRef, mirror: Mirror): string[] {
  const noted = notedSequence(log);
  const held = lastEnd(ofStream(mirror.commitments, stream));
  return noted > held ? [`the object says that ${noted} events are mirrored, and Postgres holds ${held}`] : [];
}

/** What a log lacks to be sealed and mirrored to its end, by its own note. Empty when it lacks nothing. */
export function lagProblems(log: StoredLog): string[] {
  const head = log.events.length;
  const sealed = lastEnd(log.batches);
  const mirrored = notedSequence(log);
  return [
    ...(sealed === head ? [] : [`${head - sealed} events are not sealed`]),
    ...(mirrored === head ? [] : [`${head - mirrored} events are not mirrored`]),
  ];
}

/** Rows of streams that are not among these. */
export function strayProblems(mirror: Mirror, streams: readonly StreamRef[]): string[] {
  const known = new Set(streams.map(({ tenantId, storeId }) => `${tenantId}/${storeId}`));
  return [...mirror.events, ...mirror.commitments].flatMap(({ tenant_id, store_id, ...row }) =>
    known.has(`${String(tenant_id)}/${String(store_id)}`)
      ? []
      : [`a row of a stream that was not written to: ${JSON.stringify(row)}`],
  );
}

/** Where the last of these batches or commitments ends; 0 when there is none. */
function lastEnd(rows: readonly Row[]): number {
  return Number(rows.at(-1)?.["sequence_end"] ?? 0);
}

function notedSequence({ mirrorState: [state] }: StoredLog): number {
  return Number(state?.["mirrored_sequence"] ?? 0);
}

function ofStream(rows: readonly Row[], { tenantId, storeId }: StreamRef): Row[] {
  return rows.filter((row) => row["tenant_id"] === tenantId && row["store_id"] === storeId);
}

function tableProblems(table: string, rows: readonly Row[], expected: readonly Row[]): string[] {
  const problems = expected.flatMap((wanted, index) => {
    const row = rows[index];
    if (row === undefined) return [`${table}: lacks row ${index + 1}`];
    const got = plain(row);
    const columns = new Set([...Object.keys(got), ...Object.keys(wanted)]);
    return [...columns].flatMap((column) =>
      got[column] === wanted[column]
        ? []
        : [`${table}: ${column} of row ${index + 1} is ${String(got[column])}, not ${String(wanted[column])}`],
    );
  });
  const more = rows.length - expected.length;
  return [...problems, ...(more > 0 ? [`${table}: has ${more} rows more than the log`] : [])];
}

/** As the objects have them: bytes in hex, times in milliseconds, numbers as numbers. */
function plain({ mirrored_at, ...row }: Row): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row).map(([column, value]) => {
      if (value instanceof Uint8Array) return [column, toHex(value)];
      if (value instanceof Date) return [column, value.getTime()];
      return [column, BIGINTS.has(column) && typeof value === "string" ? Number(value) : value];
    }),
  );
}

/** Columns that the driver gives as text, because they may exceed a number. */
const BIGINTS = new Set([
  "sequence_number",
  "agent_key_id",
  "entity_version",
  "base_version",
  "sequence_start",
  "sequence_end",
]);
const UUIDS = new Set(["event_id", "source_agent_id", "command_id", "batch_id"]);
/** They serve the object's own lookups, and follow from the rest. */
const NOT_MIRRORED = new Set(["previous_sequence", "skip_sequence", "tree"]);

function eventOf({ payload = null, ...row }: SqlRow, stream: StreamRef): Row {
  // One column there holds what is text, another what is encrypted.
  const payloads =
    typeof payload === "string"
      ? { payload, payload_encrypted: null }
      : { payload: null, payload_encrypted: toHex(blob(payload)) };
  return { ...namesOf(stream), ...plainSqlite(row), ...payloads };
}

function commitmentOf(row: SqlRow, stream: StreamRef): Row {
  const leafCount = integer(row["sequence_end"]) - integer(row["sequence_start"]) + 1;
  return { ...namesOf(stream), ...plainSqlite(row), ves_version: 1, leaf_count: leafCount };
}

function namesOf({ tenantId, storeId }: StreamRef): Row {
  return { tenant_id: tenantId, store_id: storeId };
}

function plainSqlite(row: SqlRow): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row).flatMap(([column, value]): [string, unknown][] => {
      if (NOT_MIRRORED.has(column)) return [];
      if (UUIDS.has(column)) {
        const id = blobOrNull(value);
        return [[column, id === null ? null : uuidFromBytes(id)]];
      }
      return [[column, typeof value === "object" && value !== null ? toHex(blob(value)) : value]];
    }),
  );
}
