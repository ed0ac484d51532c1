/** How long what is recorded waits for more to be delivered with it. */
const DELAY_MS = 1_000;
/** A delivery that takes longer has been cut off: its request was cancelled, or its object reset. */
const CUT_OFF_MS = 20_000;
/** Within what the platform leaves a Worker after its answer, which is 30 s. */
const RETRY_AFTER_MS = [1_000, 2_000, 4_000];

/** The request or the object whose life a delivery is tied to. */
export type Lifetime = Pick<ExecutionContext, "waitUntil">;

/**
 * Sends what an isolate has collected, soon and together: one delivery a second, whoever collects. No request waits for
 * it; the one that comes first keeps the isolate alive until it is done.
 */
export class Delivery {
  /** Sends everything that there is. */
  readonly #send: () => Promise<void>;
  /** Until when somebody surely sees to it, in milliseconds since the epoch. */
  #isSeenToUntil = 0;

  constructor(send: () => Promise<void>) {
    this.#send = send;
  }

  /** To be called after something was collected. */
  soon(lifetime: Lifetime): void {
    const now = Date.now();
    if (now < this.#isSeenToUntil) return;
    this.#isSeenToUntil = now + CUT_OFF_MS;
    lifetime.waitUntil(this.#deliver());
  }

  async #deliver(): Promise<void> {
    await pause(DELAY_MS);
    // What is collected from here on is not surely in what is sent.
    this.#isSeenToUntil = 0;
    for (const retryAfter of [...RETRY_AFTER_MS, null]) {
      try {
        await this.#send();
        return;
      } catch {
        // It keeps what it could not send.
        if (retryAfter !== null) await pause(retryAfter);
      }
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
