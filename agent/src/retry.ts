import { aborted, AgentError } from "./errors.ts";

/** How often, and how long apart, a request is tried. */
export interface RetrySettings {
  /** Tries in all, up to 1,000,000; 1 means that nothing is repeated. */
  readonly attempts: number;
  /** Upper bound of the first pause, in milliseconds; it doubles with each try. */
  readonly firstDelayMs: number;
  /** No pause is longer, in milliseconds; a day at most. A sequencer that asks for a longer one is not asked again. */
  readonly maxDelayMs: number;
}

export const DEFAULT_RETRY: RetrySettings = { attempts: 6, firstDelayMs: 250, maxDelayMs: 30_000 };

/**
 * Does `work` until it does not fail with UNREACHABLE any more. Pauses are random, so that agents who lost the sequencer at the
 * same moment do not come back at the same moment; they are never shorter than the sequencer asks for.
 *
 * @param random from 0 up to and not including 1
 * @throws AgentError what the last try threw, or ABORTED
 */
export async function withRetries<T>(
  settings: RetrySettings,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
  random: () => number = Math.random,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof AgentError && error.code === "UNREACHABLE") || !(attempt < settings.attempts)) throw error;
      const delay = delayBefore(attempt, settings, error.retryAfterMs ?? 0, random);
      if (delay > settings.maxDelayMs) throw error;
      await pause(delay, signal);
    }
  }
}

/** Milliseconds to wait after failed try number `attempt`. */
function delayBefore(
  attempt: number,
  { firstDelayMs, maxDelayMs }: RetrySettings,
  askedForMs: number,
  random: () => number,
): number {
  const bound = Math.min(maxDelayMs, firstDelayMs * 2 ** (attempt - 1));
  return Math.max(askedForMs, random() * bound);
}

/** @throws AgentError ABORTED as soon as the signal says so */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(aborted(signal));
    const onAbort = (): void => {
      clearTimeout(timer);
      if (signal !== undefined) reject(aborted(signal));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** Whether what asking the sequencer failed with may pass by itself: it is away, or its operator has to see to a payload. */
export function mayPass(error: unknown): boolean {
  return error instanceof AgentError && (error.code === "UNREACHABLE" || error.server?.code === "PAYLOAD_UNREADABLE");
}
