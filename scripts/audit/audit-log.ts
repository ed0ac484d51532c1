import { type AuditHead, chainProblem, EMPTY_LOG } from "../../src/audit/chain.ts";
import type { AuditEntry } from "../../src/audit/entry.ts";

/** What was found of a log: how far it is sound, and what is wrong first. */
export interface AuditVerdict {
  readonly tenantId: string;
  /** The last entry that is sound. */
  readonly head: AuditHead;
  /** A sentence without its full stop; null: all of it is sound. */
  readonly problem: string | null;
}

/**
 * Follows a tenant's log entry by entry, and compares it with a head that was kept from before. It keeps nothing of what it
 * has seen, however long the log is.
 */
export class AuditFollower {
  readonly #tenantId: string;
  readonly #seen: AuditHead;
  #head: AuditHead = EMPTY_LOG;
  #problem: string | null = null;

  /** @param seen what the log must go on from; an empty log when nothing was kept */
  constructor(tenantId: string, seen: AuditHead = EMPTY_LOG) {
    this.#tenantId = tenantId;
    this.#seen = seen;
    if (seen.sequence === 0) this.#compare();
  }

  /** Takes the next entry. After the first problem the others are not looked at. */
  follow(entry: AuditEntry): void {
    if (this.#problem !== null) return;
    this.#problem = chainProblem(this.#head, entry, this.#tenantId) ?? null;
    if (this.#problem !== null) return;
    this.#head = { sequence: entry.sequence, hash: entry.hash };
    if (this.#head.sequence === this.#seen.sequence) this.#compare();
  }

  /** What holds when no entry follows any more. */
  end(): AuditVerdict {
    if (this.#problem === null && this.#head.sequence < this.#seen.sequence) {
      this.#problem = `the log ends at entry ${this.#head.sequence}, and the head that was kept is of entry ${this.#seen.sequence}`;
    }
    return { tenantId: this.#tenantId, head: this.#head, problem: this.#problem };
  }

  #compare(): void {
    if (this.#head.hash === this.#seen.hash) return;
    this.#problem = `entry ${this.#seen.sequence} is not the one whose hash was kept: the log was made anew`;
  }
}
