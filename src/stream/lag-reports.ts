import { log } from "../observe/log.ts";
import type { StreamLag } from "../observe/stream-lag.ts";
import { backoffMs } from "../mirror/backoff.ts";
import { integerOrNull, type SqlStore } from "../storage/sql-store.ts";
import type { MirrorState } from "./mirror-state.ts";
import type { Progress } from "./progress.ts";
import type { StreamRef } from "../stream-ref.ts";

/**
 * Between two reports of a stream, and how long what is new waits. Longer than events wait to be sealed, so that of a few
 * events one report says it all: that they came, were sealed and mirrored.
 */
const REPORT_MS = 6_000;

/** Sends a report. Returns when it was taken. */
export type SendReport = (lag: StreamLag) => Promise<void>;

/**
 * Tells how far the stream is when that has changed: every few seconds while something waits to be sealed or mirrored, and
 * when nothing does any more. The alarm stays set until the last report was taken, so the last one is always the truth. It
 * follows that a stream without an alarm has nothing to tell, whatever became of earlier instances.
 */
export class LagReports {
  readonly #store: SqlStore;
  readonly #stream: StreamRef;
  readonly #hasMirror: boolean;
  readonly #send: SendReport;
  /** What was taken last, in short; null when this instance does not know. */
  #taken: string | null = null;
  /** When something new was first seen; null while there is nothing new. */
  #newSince: number | null = null;
  #sentAt = 0;
  #failures = 0;
  #retryAt = 0;
  /** When to take it that the report that is under way was lost; null while none is. */
  #lostAt: number | null = null;

  constructor(parts: {
    readonly store: SqlStore;
    readonly stream: StreamRef;
    readonly hasMirror: boolean;
    readonly send: SendReport;
  }) {
    this.#store = parts.store;
    this.#stream = parts.stream;
    this.#hasMirror = parts.hasMirror;
    this.#send = parts.send;
  }

  /** For an instance that begins without an alarm: all of this was taken. */
  isKnown(progress: Progress, state: MirrorState): void {
    this.#taken = inShort(progress, state);
  }

  /** When to report, or to look for what became of a report, in milliseconds since the epoch; null: there is nothing new. */
  dueAt(progress: Progress, state: MirrorState): number | null {
    if (this.#lostAt !== null) return this.#lostAt;
    if (inShort(progress, state) === this.#taken) {
      this.#newSince = null;
      return null;
    }
    this.#newSince ??= Date.now();
    const isSettled = progress.head === progress.sealedSequence && !this.#isUnmirrored(progress, state);
    return Math.max(this.#retryAt, this.#sentAt + REPORT_MS, isSettled ? 0 : this.#newSince + REPORT_MS);
  }

  /**
   * Reports, once. A failure is tried again later, when it is due.
   *
   * @param lostAt when to take it that the report was lost, if it was not answered by then
   */
  async report(progress: Progress, state: MirrorState, lostAt: number): Promise<void> {
    const reported = inShort(progress, state);
    this.#sentAt = Date.now();
    this.#lostAt = lostAt;
    try {
      await this.#send({
        head: progress.head,
        sealedSequence: progress.sealedSequence,
        mirroredSequence: this.#hasMirror ? state.mirroredSequence : null,
        unsealedSince: progress.unsealedSince,
        unmirroredSince: this.#isUnmirrored(progress, state) ? this.#sequencedAt(state.mirroredSequence + 1) : null,
      });
      this.#taken = reported;
      this.#failures = 0;
      this.#retryAt = 0;
    } catch (error) {
      this.#failures++;
      this.#retryAt = Date.now() + backoffMs(this.#failures);
      log.warn("reporting how far the stream is failed", {
        tenant_id: this.#stream.tenantId,
        store_id: this.#stream.storeId,
        attempt: this.#failures,
        error: String(error),
      });
    } finally {
      if (this.#lostAt === lostAt) this.#lostAt = null;
      this.#newSince = null;
    }
  }

  #isUnmirrored({ sealedSequence }: Progress, { mirroredSequence }: MirrorState): boolean {
    return this.#hasMirror && mirroredSequence < sealedSequence;
  }

  #sequencedAt(sequenceNumber: number): number | null {
    const [row] = this.#store.exec("SELECT sequenced_at FROM events WHERE sequence_number = ?", sequenceNumber);
    return row === undefined ? null : integerOrNull(row["sequenced_at"]);
  }
}

function inShort({ head, sealedSequence }: Progress, { mirroredSequence }: MirrorState): string {
  return `${head}/${sealedSequence}/${mirroredSequence}`;
}
