import { tenantMigrations } from "../../migrations/tenant/index.ts";
import { type AuditHead, chainEntry, EMPTY_LOG } from "../audit/chain.ts";
import type { AuditAct, AuditContext } from "../audit/entry.ts";
import { newEntry } from "../audit/new-entry.ts";
import { recorder } from "../observe/recorder.ts";
import { isEmptyStore, migrate } from "../storage/migrate.ts";
import { blob, integer, type SqlStore, text } from "../storage/sql-store.ts";
import {
  canonicalJson,
  fromHex,
  type JsonObject,
  newUuidV7,
  taggedHash,
  toHex,
  toRfc3339Offset,
  utf8,
  uuidBytes,
  uuidFromBytes,
} from "../ves/index.ts";
import type { AuditPage, AuditPageRequest } from "./audit-messages.ts";

/** Entries that one filtered page looks through: some 20 ms. */
const MAX_LOOKED_AT = 10_000;

const HOUR_MS = 3_600_000;

const hashContents = taggedHash("STATESET_AUDIT_HOURLY_V1");

/** What every change of a registry is given: whose it is and when it is made. */
export interface Change {
  readonly tenantId: string;
  readonly who: AuditContext;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/**
 * Appends an entry to the audit log. To be called in the transaction of the change that it speaks of: neither is there
 * without the other.
 *
 * @param entryId of an entry that may be recorded twice, which is ignored the second time; otherwise it gets a new one
 */
export function recordAct(store: SqlStore, { tenantId, who, now }: Change, act: AuditAct, entryId?: string): void {
  store.transaction(() => {
    migrate(store, tenantMigrations);
    if (entryId !== undefined && hasEntry(store, entryId)) return;
    const id = entryId ?? newUuidV7(now);
    const { hash, ...entry } = chainEntry(auditHead(store), newEntry({ id, tenantId, now }, who, act));
    store.exec(
      "INSERT INTO audit_log (sequence, entry_id, action, agent_id, hash, entry) VALUES (?, ?, ?, ?, ?, ?)",
      entry.sequence,
      uuidBytes(id),
      entry.action,
      entry.actor.agent_id === null ? null : uuidBytes(entry.actor.agent_id),
      fromHex(hash),
      canonicalJson(entry as unknown as JsonObject),
    );
    recorder.count("sequencer_audit_events_logged", {});
  });
}

/**
 * Records what is done in many pieces, once in an hour of the clock: the entry says until when it covers pieces that are the
 * same in everything it says. A piece that differs in anything, or comes later, gets an entry of its own.
 */
export function recordHourly(store: SqlStore, change: Change, act: AuditAct): void {
  const end = change.now - (change.now % HOUR_MS) + HOUR_MS;
  const hourly = { ...act, details: { ...act.details, covers_until: toRfc3339Offset(end) } };
  recordAct(store, change, hourly, idOfContents(change, hourly));
}

/** The id that an entry has by what it says, wherever it says it of each piece. */
function idOfContents({ tenantId, who, now }: Change, act: AuditAct): string {
  const { id, recorded_at, request_id, ...contents } = newEntry({ id: "", tenantId, now }, who, act);
  const bytes = hashContents(utf8(canonicalJson(contents as unknown as JsonObject))).slice(0, 16);
  // Version 8 of RFC 9562: made of anything.
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return uuidFromBytes(bytes);
}

export function auditHead(store: SqlStore): AuditHead {
  if (isEmptyStore(store)) return EMPTY_LOG;
  const [row] = store.exec("SELECT sequence, hash FROM audit_log ORDER BY sequence DESC LIMIT 1");
  return row === undefined ? EMPTY_LOG : { sequence: integer(row["sequence"]), hash: toHex(blob(row["hash"])) };
}

/** Entries in order, and the head of the same moment. A filtered page may hold fewer than there are further on. */
export function readAuditPage(store: SqlStore, { from, limit, action, agentId }: AuditPageRequest): AuditPage {
  const head = auditHead(store);
  if (from > head.sequence) return { entries: [], next: null, head };
  const filters = [
    ...(action === undefined ? [] : [{ sql: "AND action = ?", value: action }]),
    ...(agentId === undefined ? [] : [{ sql: "AND agent_id = ?", value: uuidBytes(agentId) }]),
  ];
  const end = from + MAX_LOOKED_AT;
  const rows = store.exec(
    `SELECT sequence, hash, entry FROM audit_log WHERE sequence >= ? AND sequence < ? ${filters.map(({ sql }) => sql).join(" ")}
      ORDER BY sequence LIMIT ?`,
    from,
    end,
    ...filters.map(({ value }) => value),
    limit,
  );
  const last = rows.length < limit ? end - 1 : integer(rows.at(-1)?.["sequence"]);
  return {
    entries: rows.map((row) => ({ text: text(row["entry"]), hash: toHex(blob(row["hash"])) })),
    next: last < head.sequence ? last + 1 : null,
    head,
  };
}

function hasEntry(store: SqlStore, entryId: string): boolean {
  return store.exec("SELECT 1 FROM audit_log WHERE entry_id = ?", uuidBytes(entryId)).length > 0;
}
