import { backoffMs, LONGEST_BACKOFF_MS } from "../mirror/backoff.ts";
import { PATIENCE_MS, withPostgres } from "../mirror/postgres.ts";
import { noteFrozen, readTip } from "../mirror/stream-tables.ts";
import { log } from "../observe/log.ts";
import type { Lifetime } from "../observe/delivery.ts";
import { recorder } from "../observe/recorder.ts";
import { inTrace } from "../observe/spans.ts";
import type { SealLimits } from "./seal-limits.ts";
import { type Alarm, WATCHDOG_MS } from "../storage/alarm.ts";
import { isEmptyStore } from "../storage/migrate.ts";
import type { SqlStore } from "../storage/sql-store.ts";
import type { StreamNote } from "../tenant/audit-messages.ts";
import { readFrozen } from "./frozen.ts";
import { LagReports, type SendReport } from "./lag-reports.ts";
import type { AppendResult } from "./messages.ts";
import { type MirrorState, readMirrorState, updateMirrorState } from "./mirror-state.ts";
import { hasMirrorWork, mirrorSealedBatches } from "./mirroring.ts";
import { NoteDelivery } from "./note-delivery.ts";
import { nextSealAt, type Progress, readProgress } from "./progress.ts";
import { sealDue } from "./seal.ts";
import type { StreamRef } from "../stream-ref.ts";

/** Batches sealed in one turn: 1,024 events take about 10 ms, and appends wait meanwhile. */
const MAX_SEALS_PER_TURN = 4;
/** How often a stream that Postgres does not agree with asks it whether both agree again. */
const FROZEN_RETRY_MS = LONGEST_BACKOFF_MS;

/**
 * What a stream does by itself: it seals what is due, mirrors what is sealed, tells the tenant's audit log that it froze or
 * thawed, and sets its alarm for what is due next.
 *
 * Everything follows from what is stored: how often this runs, and what became of an earlier run, does not matter. A
 * second run beside the first finds its work done or under way. A stream with nothing to do has no alarm.
 */
export class Upkeep {
  readonly #store: SqlStore;
  readonly #stream: StreamRef;
  readonly #limits: SealLimits;
  readonly #alarm: Alarm;
  readonly #notes: NoteDelivery;
  /** Null in a deployment without a mirror. */
  readonly #hyperdrive: Hyperdrive | null;
  readonly #reports: LagReports;
  readonly #lifetime: Lifetime;
  readonly #deliverNumbers: () => void;
  readonly #alsoDueAt: () => number | null;
  /** When to look whether the mirroring that is under way has died, in milliseconds since the epoch. */
  #watchdogAt = 0;
  /** Settles when what is being mirrored now is, or has failed; null while nothing is. */
  #mirroring: Promise<void> | null = null;

  constructor(parts: {
    readonly store: SqlStore;
    readonly stream: StreamRef;
    readonly limits: SealLimits;
    readonly alarm: Alarm;
    readonly hyperdrive: Hyperdrive | null;
    readonly deliverNotes: (notes: readonly StreamNote[]) => Promise<void>;
    readonly sendReport: SendReport;
    /** The object's. */
    readonly lifetime: Lifetime;
    /** Called when something was counted outside of a call. */
    readonly deliverNumbers: () => void;
    /** When the object has something else to do at its alarm, in milliseconds since the epoch; null: never. */
    readonly alsoDueAt: () => number | null;
  }) {
    this.#store = parts.store;
    this.#stream = parts.stream;
    this.#limits = parts.limits;
    this.#alarm = parts.alarm;
    this.#hyperdrive = parts.hyperdrive;
    this.#notes = new NoteDelivery(parts.store, this.#names, parts.deliverNotes);
    this.#lifetime = parts.lifetime;
    this.#deliverNumbers = parts.deliverNumbers;
    const { store, stream, sendReport: send } = parts;
    this.#reports = new LagReports({ store, stream, hasMirror: parts.hyperdrive !== null, send });
    this.#alsoDueAt = parts.alsoDueAt;
  }

  /** Finds out what is due, whatever became of the alarm of an earlier instance. */
  async resume(): Promise<void> {
    const alarmAt = await this.#alarm.resume();
    if (alarmAt === null) this.#reports.isKnown(readProgress(this.#store), readMirrorState(this.#store));
    this.schedule();
  }

  /** To be called when the alarm fires. */
  run(): void {
    this.#alarm.fired();
    // Should this run end half-way, the next alarm is set already.
    this.#watchdogAt = Date.now() + WATCHDOG_MS;
    this.#alarm.set(this.#watchdogAt);
    if (readFrozen(this.#store) === null) this.#sealDue();
    if (nextAttemptAt(readMirrorState(this.#store).retryAt) <= Date.now()) void this.mirror();
    void this.#notes.run().finally(() => this.schedule());
    this.schedule();
  }

  /** Sets the alarm for what is due next. To be called, in the same turn, after every change of what is due. */
  schedule(): void {
    if (isEmptyStore(this.#store)) return;
    const progress = readProgress(this.#store);
    const state = readMirrorState(this.#store);
    const times = [
      readFrozen(this.#store) === null ? nextSealAt(progress, this.#limits, Date.now()) : null,
      this.#nextMirroringAt(progress, state),
      this.#nextReportAt(progress, state),
      this.#notes.nextAt(),
      this.#alsoDueAt(),
    ].filter((time) => time !== null);
    this.#alarm.set(times.length === 0 ? null : Math.min(...times));
  }

  /** Mirrors until nothing is left to mirror, or it fails. One run at a time: a second call joins the first. */
  mirror(): Promise<void> {
    const hyperdrive = this.#hyperdrive;
    if (hyperdrive === null || !this.#hasMirrorWork()) return Promise.resolve();
    if (this.#mirroring === null) this.#watchdogAt = Date.now() + WATCHDOG_MS;
    this.#mirroring ??= this.#mirrorThrough(hyperdrive).finally(() => {
      this.#mirroring = null;
      this.schedule();
    });
    return this.#mirroring;
  }

  /**
   * Whether an empty stream must not begin at 1: it may have been lost, and Postgres holds batches of it or cannot say. Null
   * when nothing speaks against it.
   */
  async problemOfBeginning(): Promise<AppendResult | null> {
    if (this.#hyperdrive === null) return null;
    try {
      return await withPostgres(
        this.#hyperdrive,
        async (connection) => {
          const { sequenceEnd } = await readTip(connection, this.#stream);
          if (sequenceEnd === 0) return null;
          const reason = `this stream is empty and Postgres holds its events up to ${sequenceEnd}: restore it`;
          await noteFrozen(connection, this.#stream, reason);
          return { kind: "frozen", reason };
        },
        PATIENCE_MS,
      );
    } catch (error) {
      log.error("Postgres could not be asked whether the stream was lost", { ...this.#names, error: String(error) });
      return { kind: "unavailable", cause: "mirror" };
    }
  }

  async #mirrorThrough(hyperdrive: Hyperdrive): Promise<void> {
    const startedAt = Date.now();
    try {
      await inTrace({ name: "mirror", kind: "internal", attributes: this.#names }, undefined, this.#lifetime, () =>
        withPostgres(hyperdrive, (connection) => mirrorSealedBatches(this.#store, this.#stream, connection)),
      );
      const isFrozen = readMirrorState(this.#store).frozenReason !== null;
      updateMirrorState(this.#store, { failures: 0, retryAt: isFrozen ? Date.now() + FROZEN_RETRY_MS : null });
    } catch (error) {
      recorder.count("sequencer_mirror_failures_total", {});
      const failures = readMirrorState(this.#store).failures + 1;
      const retryAt = Date.now() + backoffMs(failures);
      log.error("mirroring the stream failed", {
        ...this.#names,
        attempt: failures,
        retry_ms: retryAt - Date.now(),
        error: String(error),
      });
      updateMirrorState(this.#store, { failures, retryAt });
    }
    recorder.observeSince("sequencer_mirror_latency_seconds", {}, startedAt);
    this.#deliverNumbers();
  }

  get #names(): { readonly tenant_id: string; readonly store_id: string } {
    return { tenant_id: this.#stream.tenantId, store_id: this.#stream.storeId };
  }

  #hasMirrorWork(): boolean {
    return hasMirrorWork(readProgress(this.#store), readMirrorState(this.#store));
  }

  /** When to look after the reports again. One that is due is sent at once. */
  #nextReportAt(progress: Progress, state: MirrorState): number | null {
    const now = Date.now();
    if ((this.#reports.dueAt(progress, state) ?? Infinity) <= now) {
      // The alarm that is set for something else will do, and need not be set anew.
      const lostAt = this.#watchdogAt > now + WATCHDOG_MS / 2 ? this.#watchdogAt : now + WATCHDOG_MS;
      void this.#reports.report(progress, state, lostAt).finally(() => this.schedule());
    }
    return this.#reports.dueAt(progress, state);
  }

  #sealDue(): void {
    for (let sealed = 0; sealed < MAX_SEALS_PER_TURN; sealed++) {
      const batch = sealDue(this.#store, this.#stream, this.#limits, Date.now(), crypto.randomUUID());
      if (batch === null) return;
    }
  }

  #nextMirroringAt(progress: Progress, state: MirrorState): number | null {
    if (this.#hyperdrive === null || !hasMirrorWork(progress, state)) return null;
    return this.#mirroring === null ? nextAttemptAt(state.retryAt) : this.#watchdogAt;
  }
}

/** When to try again. What lies further off than any wait was noted before the clock went back. */
function nextAttemptAt(retryAt: number | null): number {
  return retryAt === null || retryAt > Date.now() + LONGEST_BACKOFF_MS ? 0 : retryAt;
}
