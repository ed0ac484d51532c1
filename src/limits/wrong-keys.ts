import { log } from "../observe/log.ts";
import { takeOfClient } from "./client-limit.ts";

/** Clients that an isolate remembers. */
const MAX_CLIENTS = 10_000;

/** How long a client that has used up its limit is refused: as long as the window in which it is counted. */
const REFUSED_MS = 60_000;

/**
 * Limits how many API keys that do not exist are looked up for one client: each that is made up wakes the registry of a
 * made-up tenant. The object that counts for all isolates is told only when a key turned out not to exist, so a key that
 * exists costs nothing. What a client has under way at once when it reaches its limit is still looked up, in each isolate once
 * in a minute.
 */
export class WrongKeys {
  /** Clients that have used up their limit, and until when they are refused. */
  readonly #refusedUntil = new Map<string, number>();

  /** @returns milliseconds until the client may have another key looked up; 0: now */
  waitMs(client: string, now: number): number {
    return Math.max(0, (this.#refusedUntil.get(client) ?? 0) - now);
  }

  /** Counts a key of the client that does not exist. One that cannot be counted is as if it was the first. */
  async count(env: Env, client: string, perMinute: number): Promise<void> {
    try {
      const { remaining } = await takeOfClient(env, "wrong-key", client, perMinute);
      if (remaining === 0) this.#refuse(client, Date.now() + REFUSED_MS);
    } catch (error) {
      log.error("a wrong API key could not be counted", { error: String(error) });
    }
  }

  #refuse(client: string, until: number): void {
    this.#refusedUntil.delete(client);
    this.#refusedUntil.set(client, until);
    if (this.#refusedUntil.size <= MAX_CLIENTS) return;
    const [oldest] = this.#refusedUntil.keys();
    if (oldest !== undefined) this.#refusedUntil.delete(oldest);
  }
}
