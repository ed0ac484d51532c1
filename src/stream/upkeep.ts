import { backoffMs, LONGEST_BACKOFF_MS } from "../mirror/backoff.ts";
import { PATIENCE_MS, withPostgres } from "../mirror/postgres.ts";
import { noteFrozen, readTip } from "../mirror/stream-tables.ts";
import type { SealLimits } from "../settings.ts";
import { type Alarm, WATCHDOG_MS } from "../storage/alarm.ts";
import { isEmptyStore } from "../storage/migrate.ts";
import type { SqlStore } from "../storage/sql-store.ts";
import { readFrozen } from "./frozen.ts";
import type { AppendResult } from "./messages.ts";
import { type MirrorState, readMirrorState, updateMirrorState } from "./mirror-state.ts";
import { hasMirrorWork, mirrorSealedBatches } from "./mirroring.ts";
import { nextSealAt, type Progress, readProgress } from "./progress.ts";
import { sealDue } from "./seal.ts";
import { streamObjectName, type StreamRef } from "./stream-ref.ts";

/** Batches sealed in one turn: 1,024 events take about 10 ms, and appends wait meanwhile. */
const MAX_SEALS_PER_TURN = 4;
/** How often a stream that Postgres does not agree with asks it whether both agree again. */
const FROZEN_RETRY_MS = LONGEST_BACKOFF_MS;

/**
 * What a stream does by itself: it seals what is due, mirrors what is sealed, and sets its alarm for what is due next.
 *
 * Everything follows from what is stored: how often this runs, and what became of an earlier run, does not matter. A
 * second run beside the first finds its work done or under way. A stream with nothing to do has no alarm.
 */
export class Upkeep {
  readonly #store: SqlStore;
  readonly #stream: StreamRef;
  readonly #limits: SealLimits;
  readonly #alarm: Alarm;
  /** Null in a deployment without a mirror. */
  readonly #hyperdrive: Hyperdrive | null;
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
    /** When the object has something else to do at its alarm, in milliseconds since the epoch; null: never. */
    readonly alsoDueAt: () => number | null;
  }) {
    this.#store = parts.store;
    this.#stream = parts.stream;
    this.#limits = parts.limits;
    this.#alarm = parts.alarm;
    this.#hyperdrive = parts.hyperdrive;
    this.#alsoDueAt = parts.alsoDueAt;
  }

  /** Finds out what is due, whatever became of the alarm of an earlier instance. */
  async resume(): Promise<void> {
    await this.#alarm.resume();
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
    this.schedule();
  }

  /** Sets the alarm for what is due next. To be called, in the same turn, after every change of what is due. */
  schedule(): void {
    if (isEmptyStore(this.#store)) return;
    const progress = readProgress(this.#store);
    const sealAt = readFrozen(this.#store) === null ? nextSealAt(progress, this.#limits, Date.now()) : null;
    const mirrorAt = this.#nextMirroringAt(progress, readMirrorState(this.#store));
    const dueAt = [sealAt, mirrorAt, this.#alsoDueAt()].filter((at) => at !== null);
    this.#alarm.set(dueAt.length === 0 ? null : Math.min(...dueAt));
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
      console.error(`Postgres could not be asked whether ${this.#name} was lost: ${String(error)}`);
      return { kind: "unavailable", cause: "mirror" };
    }
  }

  async #mirrorThrough(hyperdrive: Hyperdrive): Promise<void> {
    try {
      await withPostgres(hyperdrive, (connection) => mirrorSealedBatches(this.#store, this.#stream, connection));
      const isFrozen = readMirrorState(this.#store).frozenReason !== null;
      updateMirrorState(this.#store, { failures: 0, retryAt: isFrozen ? Date.now() + FROZEN_RETRY_MS : null });
    } catch (error) {
      const failures = readMirrorState(this.#store).failures + 1;
      const retryAt = Date.now() + backoffMs(failures);
      console.error(
        `mirroring ${this.#name} failed, attempt ${failures}; repeated in ${retryAt - Date.now()} ms: ${String(error)}`,
      );
      updateMirrorState(this.#store, { failures, retryAt });
    }
  }

  get #name(): string {
    return `stream ${streamObjectName(this.#stream)}`;
  }

  #hasMirrorWork(): boolean {
    return hasMirrorWork(readProgress(this.#store), readMirrorState(this.#store));
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
