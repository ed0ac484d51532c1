import { openPayload } from "../at-rest/open-payload.ts";
import { encryptPayload, keyIdOf, payloadPrefix } from "../at-rest/payload-cipher.ts";
import type { PayloadKey } from "../at-rest/payload-key.ts";
import type { PayloadKeyring } from "../at-rest/payload-keyrings.ts";
import type { StoredPayload } from "../at-rest/stored-payload.ts";
import { countPayloadKeys, replacePayloads } from "../mirror/payload-keys.ts";
import type { Connection } from "../mirror/postgres.ts";
import { isEmptyStore } from "../storage/migrate.ts";
import { integer, type SqlRow, type SqlStore } from "../storage/sql-store.ts";
import { EVENT_COLUMNS, eventFromRow, storedPayload } from "./event-row.ts";
import { headOf } from "./head.ts";
import type { PayloadCounts, ReencryptRequest, ReencryptResult, StoredEvent, UnreadablePayload } from "./messages.ts";
import { payloadRows } from "./mirror-rows.ts";
import { withinPageBytes } from "./read.ts";
import type { StreamRef } from "../stream-ref.ts";

/** Events of one piece, beside the bytes of a page: about 40 ms of object time when all of them are encrypted anew. */
const EVENTS_AT_ONCE = 1_000;

/** Payloads of one piece that are named when no key opens them; the others are counted. */
const UNREADABLE_NAMED = 100;

/** What stands for the key of a payload that is stored as text. */
export const NO_KEY = "none";

/** Whom a piece of the work is done for, and with what. */
export interface Reencryption {
  readonly store: SqlStore;
  readonly stream: StreamRef;
  readonly keyring: PayloadKeyring;
  /** Runs work on Postgres; null in a deployment without a mirror. */
  readonly withMirror: (<T>(work: (connection: Connection) => Promise<T>) => Promise<T>) | null;
}

/**
 * Brings the payloads of a piece of the log under the current key: first in the object, then in Postgres, which gets the
 * object's very bytes. Counts what it has found under which key. What is under the current key already is left alone, so a
 * piece may be done any number of times, and one that was cut off is continued by doing it again.
 *
 * Nothing but payloads changes, and only from what opens; their contents, and so every hash, stay what they were. What does
 * not open stays as it is, is told, and holds nothing else up.
 *
 * @throws when Postgres fails
 */
export async function reencryptPiece(
  { store, stream, keyring, withMirror }: Reencryption,
  { from, isDryRun }: ReencryptRequest,
): Promise<ReencryptResult> {
  const key = isDryRun ? null : keyring.current;
  if (!isDryRun && key === null) return { kind: "no_key" };
  const piece = pieceFrom(store, from);
  const rows = readRows(store, from, piece.end);
  const object = { byKey: countKeys(rows), reencrypted: 0 };
  const { opened, unreadable } = await openDue(rows, stream, keyring);
  if (key !== null) {
    const replacements: Replacement[] = [];
    for (const { event, text } of opened) {
      replacements.push({ event, payload: await encryptPayload(key, stream, event.envelope, text) });
    }
    object.reencrypted = replaceRows(store, replacements);
  }
  // At its end, whatever Postgres has beyond.
  const range = { start: from, end: piece.isLast ? Number.MAX_SAFE_INTEGER : piece.end };
  const database =
    withMirror === null
      ? null
      : await withMirror((connection) => mirrorPiece(connection, { store, stream, key }, range, piece.end));
  return {
    kind: "piece",
    currentKeyId: keyring.current?.id ?? NO_KEY,
    nextSequence: piece.isLast ? null : piece.end + 1,
    head: piece.head,
    object,
    database,
    unreadable: { count: unreadable.length, first: unreadable.slice(0, UNREADABLE_NAMED) },
  };
}

interface Piece {
  /** Last number of it; `from - 1` when there is none. */
  readonly end: number;
  readonly isLast: boolean;
  readonly head: number;
}

function pieceFrom(store: SqlStore, from: number): Piece {
  if (isEmptyStore(store)) return { end: from - 1, isLast: true, head: 0 };
  const candidates = store.exec(
    "SELECT sequence_number, octet_length(payload) AS bytes FROM events WHERE sequence_number >= ? ORDER BY sequence_number LIMIT ?",
    from,
    EVENTS_AT_ONCE,
  );
  const numbers = withinPageBytes(candidates.map((row) => [integer(row["sequence_number"]), integer(row["bytes"])]));
  const end = numbers.at(-1) ?? from - 1;
  const head = headOf(store);
  return { end, isLast: end >= head || numbers.length === 0, head };
}

function readRows(store: SqlStore, from: number, end: number): SqlRow[] {
  if (end < from) return [];
  return store.exec(
    `SELECT ${EVENT_COLUMNS} FROM events WHERE sequence_number BETWEEN ? AND ? ORDER BY sequence_number`,
    from,
    end,
  );
}

function countKeys(rows: readonly SqlRow[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const row of rows) {
    const name = keyNameOf(storedPayload(row));
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

function keyNameOf(payload: StoredPayload): string {
  return typeof payload === "string" ? NO_KEY : (keyIdOf(payload) ?? NO_KEY);
}

interface Replacement {
  readonly event: StoredEvent;
  readonly payload: Uint8Array;
}

/** Opens the payloads that are not under the current key. */
async function openDue(rows: readonly SqlRow[], stream: StreamRef, keyring: PayloadKeyring) {
  const opened: { readonly event: StoredEvent; readonly text: string }[] = [];
  const unreadable: UnreadablePayload[] = [];
  const currentName = keyring.current?.id ?? NO_KEY;
  for (const row of rows.filter((candidate) => keyNameOf(storedPayload(candidate)) !== currentName)) {
    const event = eventFromRow(row, stream);
    const result = await openPayload({ ...keyring, readsText: true }, stream, event.envelope, event.payload);
    if (result.kind === "opened") opened.push({ event, text: result.text });
    else {
      const { sequenceNumber, payload } = event;
      unreadable.push({ sequenceNumber, keyId: keyNameOf(payload), problem: result });
    }
  }
  return { opened, unreadable };
}

/** Replaces payloads that are still what they were when they were read. @returns how many */
function replaceRows(store: SqlStore, replacements: readonly Replacement[]): number {
  return store.transaction(() => {
    let replaced = 0;
    for (const { event, payload } of replacements) {
      const changed = store.exec(
        "UPDATE events SET payload = ? WHERE sequence_number = ? AND payload = ? RETURNING sequence_number",
        payload,
        event.sequenceNumber,
        event.payload,
      );
      replaced += changed.length;
    }
    return replaced;
  });
}

/** The same in Postgres, with what the object holds by now. */
async function mirrorPiece(
  connection: Connection,
  { store, stream, key }: { readonly store: SqlStore; readonly stream: StreamRef; readonly key: PayloadKey | null },
  range: { readonly start: number; readonly end: number },
  ownEnd: number,
): Promise<PayloadCounts> {
  const byKey = await countPayloadKeys(connection, stream, range, NO_KEY);
  const isDue = key !== null && Object.keys(byKey).some((id) => id !== key.id);
  if (!isDue || ownEnd < range.start) return { byKey, reencrypted: 0 };
  const prefix = payloadPrefix(key.id);
  const rows = payloadRows(store, range.start, ownEnd, prefix);
  return { byKey, reencrypted: await replacePayloads(connection, stream, rows, prefix) };
}
