import { backoffMs } from "../mirror/backoff.ts";
import { WATCHDOG_MS } from "../storage/alarm.ts";
import { log, type LogMembers } from "../observe/log.ts";
import type { SqlStore } from "../storage/sql-store.ts";
import type { StreamNote } from "../tenant/audit-messages.ts";
import { deliverAuditNotes, hasAuditNotes } from "./audit-notes.ts";

/** Delivers a stream's notes to its tenant's audit log, at least once each, from the stream's alarm. */
export class NoteDelivery {
  readonly #store: SqlStore;
  readonly #names: LogMembers;
  readonly #deliver: (notes: readonly StreamNote[]) => Promise<void>;
  /** Nothing is begun before this time. A new instance begins at once. */
  #notBefore = 0;
  #failures = 0;
  #isUnderWay = false;

  /** @param names what the log calls the stream */
  constructor(store: SqlStore, names: LogMembers, deliver: (notes: readonly StreamNote[]) => Promise<void>) {
    this.#store = store;
    this.#names = names;
    this.#deliver = deliver;
  }

  /** When there is something to do next, in milliseconds since the epoch; null when there is nothing to deliver. */
  nextAt(): number | null {
    return hasAuditNotes(this.#store) ? this.#notBefore : null;
  }

  /** Delivers what is due. A failure is repeated, later each time, up to once a minute. */
  async run(): Promise<void> {
    const at = this.nextAt();
    if (at === null || at > Date.now()) return;
    // Should this run die, the alarm finds out.
    this.#notBefore = Date.now() + WATCHDOG_MS;
    if (this.#isUnderWay) return;
    this.#isUnderWay = true;
    try {
      await deliverAuditNotes(this.#store, this.#deliver);
      this.#failures = 0;
      this.#notBefore = 0;
    } catch (error) {
      this.#failures++;
      this.#notBefore = Date.now() + backoffMs(this.#failures);
      log.error("telling the audit log that a stream froze or thawed failed", { ...this.#names, error: String(error) });
    } finally {
      this.#isUnderWay = false;
    }
  }
}
