import { DurableObject } from "cloudflare:workers";
import { type Grant, type GrantRequest, grantUses } from "./grant.ts";
import { SlidingWindow, type Taken } from "./sliding-window.ts";

/** Keys of one object, each up to a kilobyte. */
const MAX_KEYS = 20_000;

/** How long the platform surely keeps an object in memory that has a timer and no callers. */
const MEMORY_MS = 60_000;

/**
 * Counts the uses of limits for all Workers, in memory: one place that is asked is exact where each Worker's own count
 * is not. It writes nothing. While something counts, a timer keeps it in memory, where the platform would otherwise drop an
 * idle object after ten seconds; one that is moved or deployed anew has forgotten.
 */
export class RateLimiter extends DurableObject<Env> {
  readonly #window = new SlidingWindow(MAX_KEYS);
  #isTimerSet = false;

  /**
   * Uses `cost` of the key's `amount` in `windowSeconds`, if so much is left.
   *
   * @param windowSeconds of more than 60 the oldest part may be forgotten early
   */
  take(key: string, amount: number, windowSeconds: number, cost: number): Taken {
    const taken = this.#window.take(key, { amount, windowSeconds }, cost, Date.now());
    this.#stayWhileCounting();
    return taken;
  }

  /** Uses for one isolate, of several limits at once, some of them in advance: see {@link grantUses}. */
  grant(request: GrantRequest): Grant {
    const grant = grantUses(this.#window, request, Date.now());
    this.#stayWhileCounting();
    return grant;
  }

  #stayWhileCounting(): void {
    if (this.#isTimerSet || this.#window.size === 0) return;
    this.#isTimerSet = true;
    setTimeout(() => {
      this.#isTimerSet = false;
      this.#window.forget(Date.now());
      this.#stayWhileCounting();
    }, MEMORY_MS);
  }
}
