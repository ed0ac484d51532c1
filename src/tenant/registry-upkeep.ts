import { backoffMs } from "../mirror/backoff.ts";
import { withPostgres } from "../mirror/postgres.ts";
import { log } from "../observe/log.ts";
import { type Alarm, WATCHDOG_MS } from "../storage/alarm.ts";
import type { SqlStore } from "../storage/sql-store.ts";
import { hasUnmirrored, mirrorRegistry } from "./registry-mirroring.ts";

/** Mirrors a registry's changes to Postgres, from its alarm. What there is to do is read from storage each time. */
export class RegistryUpkeep {
  readonly #store: SqlStore;
  readonly #tenantId: string;
  readonly #alarm: Alarm;
  /** Null in a deployment without a mirror. */
  readonly #hyperdrive: Hyperdrive | null;
  readonly #deliverNumbers: () => void;
  /** When to look whether the mirroring that is under way has died; null while none is. */
  #watchdogAt: number | null = null;
  /** Attempts that failed in a row, and when to try again. A new instance tries at once. */
  #failures = 0;
  #retryAt = 0;

  constructor(parts: {
    readonly store: SqlStore;
    readonly tenantId: string;
    readonly alarm: Alarm;
    readonly hyperdrive: Hyperdrive | null;
    readonly deliverNumbers: () => void;
  }) {
    this.#store = parts.store;
    this.#tenantId = parts.tenantId;
    this.#alarm = parts.alarm;
    this.#hyperdrive = parts.hyperdrive;
    this.#deliverNumbers = parts.deliverNumbers;
  }

  /** Finds out what is to do, whatever became of the alarm of an earlier instance. */
  async resume(): Promise<void> {
    await this.#alarm.resume();
    this.schedule();
  }

  /** Sets the alarm for what is due next. To be called, in the same turn, after every change of the registry. */
  schedule(): void {
    const isDue = this.#hyperdrive !== null && hasUnmirrored(this.#store);
    this.#alarm.set(isDue ? (this.#watchdogAt ?? this.#retryAt) : null);
  }

  /** To be called when the alarm fires. */
  run(): void {
    this.#alarm.fired();
    if (this.#watchdogAt === null && this.#hyperdrive !== null) void this.#mirrorThrough(this.#hyperdrive);
    else if (this.#watchdogAt !== null) this.#watchdogAt = Date.now() + WATCHDOG_MS;
    this.schedule();
  }

  /** A failure is repeated, later each time, up to once a minute. */
  async #mirrorThrough(hyperdrive: Hyperdrive): Promise<void> {
    this.#watchdogAt = Date.now() + WATCHDOG_MS;
    try {
      await withPostgres(hyperdrive, (connection) => mirrorRegistry(this.#store, this.#tenantId, connection));
      this.#failures = 0;
      this.#retryAt = 0;
    } catch (error) {
      this.#failures++;
      this.#retryAt = Date.now() + backoffMs(this.#failures);
      log.error("mirroring the registry failed", {
        tenant_id: this.#tenantId,
        attempt: this.#failures,
        retry_ms: this.#retryAt - Date.now(),
        error: String(error),
      });
    } finally {
      this.#watchdogAt = null;
      this.schedule();
      this.#deliverNumbers();
    }
  }
}
