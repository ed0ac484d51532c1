import { backoffMs } from "../mirror/backoff.ts";
import { withPostgres } from "../mirror/postgres.ts";
import type { SqlStore } from "../storage/sql-store.ts";
import { hasUnmirrored, mirrorRegistry } from "./registry-mirroring.ts";

/** While Postgres is written to, the alarm stands this far off: it fires only if the object is lost meanwhile. */
const WATCHDOG_MS = 10_000;

/** Mirrors a registry's changes to Postgres, from its alarm. What there is to do is read from storage each time. */
export class RegistryUpkeep {
  readonly #store: SqlStore;
  readonly #tenantId: string;
  readonly #alarms: Pick<DurableObjectStorage, "getAlarm" | "setAlarm" | "deleteAlarm">;
  /** Null in a deployment without a mirror. */
  readonly #hyperdrive: Hyperdrive | null;
  #isAlarmSet = false;
  #failures = 0;

  constructor(parts: {
    readonly store: SqlStore;
    readonly tenantId: string;
    readonly alarms: Pick<DurableObjectStorage, "getAlarm" | "setAlarm" | "deleteAlarm">;
    readonly hyperdrive: Hyperdrive | null;
  }) {
    this.#store = parts.store;
    this.#tenantId = parts.tenantId;
    this.#alarms = parts.alarms;
    this.#hyperdrive = parts.hyperdrive;
  }

  /** Finds out what is to do, whatever became of the alarm of an earlier instance. */
  async resume(): Promise<void> {
    this.#isAlarmSet = (await this.#alarms.getAlarm()) !== null;
    this.schedule();
  }

  /** To be called, in the same turn, after every change of the registry. */
  schedule(): void {
    if (this.#hyperdrive === null || this.#isAlarmSet || !hasUnmirrored(this.#store)) return;
    this.#setAlarm(0);
  }

  /** To be called when the alarm fires. A failure is repeated, later each time, up to once a minute. */
  async run(): Promise<void> {
    // A fired alarm is used up. Should this run end half-way, the next one is set already.
    this.#setAlarm(WATCHDOG_MS);
    if (this.#hyperdrive === null) return;
    try {
      await withPostgres(this.#hyperdrive, (connection) => mirrorRegistry(this.#store, this.#tenantId, connection));
      this.#failures = 0;
      // Changes that came in just now found the alarm set, and left it to this.
      if (hasUnmirrored(this.#store)) this.#setAlarm(0);
      else this.#deleteAlarm();
    } catch (error) {
      this.#failures++;
      console.error(
        `mirroring the registry of tenant ${this.#tenantId} failed, attempt ${this.#failures}: ${String(error)}`,
      );
      this.#setAlarm(backoffMs(this.#failures));
    }
  }

  #deleteAlarm(): void {
    this.#isAlarmSet = false;
    void this.#alarms.deleteAlarm();
  }

  #setAlarm(delayMs: number): void {
    this.#isAlarmSet = true;
    void this.#alarms.setAlarm(Date.now() + delayMs);
  }
}
