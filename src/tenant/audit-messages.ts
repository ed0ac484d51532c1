import type { AuditHead } from "../audit/chain.ts";
import type { AuditAction } from "../audit/entry.ts";

/** What is said to a registry about the audit log. */

export interface AuditPageRequest {
  /** First number wanted, from 1. */
  readonly from: number;
  readonly limit: number;
  /** Only entries of this action. */
  readonly action: AuditAction | undefined;
  /** Only entries of this agent's credentials. */
  readonly agentId: string | undefined;
}

/** An entry as stored: canonical JSON without its hash. As a text, because a JSON value of any depth is no type for RPC. */
export interface StoredAuditEntry {
  readonly text: string;
  /** Lowercase hex. */
  readonly hash: string;
}

export interface AuditPage {
  readonly entries: readonly StoredAuditEntry[];
  /** Where to continue; null at the end of the log. */
  readonly next: number | null;
  readonly head: AuditHead;
}

/** That a stream froze or thawed. It is delivered at least once. */
export interface StreamNote {
  /** UUID: of two notes with one id the second is ignored. */
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly notedAt: number;
  /** Whose history and the stream's own differ, or agree again. A restoration counts as the mirror's. */
  readonly party: "mirror" | "chain";
  /** Why it froze; null: it thawed. */
  readonly reason: string | null;
}
