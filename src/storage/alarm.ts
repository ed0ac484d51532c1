/** How far off an object sets its alarm while it works: it fires only if the object is lost meanwhile. */
export const WATCHDOG_MS = 10_000;

/**
 * The one alarm of a Durable Object. It remembers what it is set for, so that setting it again for the same time, as every
 * turn may do, writes nothing.
 */
export class Alarm {
  readonly #storage: Pick<DurableObjectStorage, "getAlarm" | "setAlarm" | "deleteAlarm">;
  /** Milliseconds since the epoch; null: not set. */
  #at: number | null = null;

  constructor(storage: Pick<DurableObjectStorage, "getAlarm" | "setAlarm" | "deleteAlarm">) {
    this.#storage = storage;
  }

  /** Finds out what an earlier instance has set it for, or null. To be awaited before it is set. */
  async resume(): Promise<number | null> {
    this.#at = await this.#storage.getAlarm();
    return this.#at;
  }

  /** A fired alarm is used up. */
  fired(): void {
    this.#at = null;
  }

  /**
   * Sets it, at once for a time that is past, or deletes it for null. Not waited for: it is part of the turn's commit, and
   * the output gate holds every answer until that is on disk.
   */
  set(at: number | null): void {
    if (at === this.#at) return;
    this.#at = at;
    void (at === null ? this.#storage.deleteAlarm() : this.#storage.setAlarm(Math.max(at, Date.now())));
  }
}
