import { canonicalJson, fromHex, type JsonObject, taggedHash, toHex, utf8, VesError, ZERO_32 } from "../ves/index.ts";
import type { AuditEntry, UnchainedEntry } from "./entry.ts";

/** How far a log is: its last entry, and that one's hash, which covers all before it. */
export interface AuditHead {
  /** 0 for an empty log. */
  readonly sequence: number;
  /** Lowercase hex; 64 zeros for an empty log. */
  readonly hash: string;
}

export const EMPTY_LOG: AuditHead = { sequence: 0, hash: toHex(ZERO_32) };

const hashEntry = taggedHash("STATESET_AUDIT_ENTRY_V1");

/**
 * SHA-256 over the domain prefix, the previous hash and the canonical JSON (RFC 8785) of the entry without `hash`.
 *
 * @throws VesError when the previous hash is none, or the entry is no JSON
 */
export function auditEntryHash(entry: Omit<AuditEntry, "hash">): string {
  const text = canonicalJson(entry as unknown as JsonObject);
  return toHex(hashEntry(fromHex(entry.previous_hash, 32), utf8(text)));
}

/** The entry as the next one of the log that ends at `head`. */
export function chainEntry(head: AuditHead, entry: UnchainedEntry): AuditEntry {
  const chained = { ...entry, sequence: head.sequence + 1, previous_hash: head.hash };
  return { ...chained, hash: auditEntryHash(chained) };
}

/** Why an entry is not the one that follows on `head`, as a sentence without its full stop, or undefined when it is. */
export function chainProblem(head: AuditHead, entry: AuditEntry, tenantId: string): string | undefined {
  const next = head.sequence + 1;
  if (entry.sequence !== next) return `entry ${next} is missing: ${JSON.stringify(entry.sequence)} stands in its place`;
  if (entry.tenant_id !== tenantId) return `entry ${next} is of another tenant`;
  if (entry.previous_hash !== head.hash) return `entry ${next} does not follow on the entry before it`;
  try {
    const { hash, ...rest } = entry;
    return auditEntryHash(rest) === hash ? undefined : `entry ${next} is not what its hash says`;
  } catch (error) {
    if (error instanceof VesError) return `entry ${next} cannot be hashed: ${error.message}`;
    throw error;
  }
}
