import { type Context, streamQuery, transaction } from "./context.ts";
import { AgentError, throwIfAborted } from "./errors.ts";
import { LIVE_CLOSE } from "./live-messages.ts";
import { type Numbers, readSubscription, type SubscriptionEnd, type SubscriptionTimes } from "./live-subscription.ts";
import { longPoll } from "./long-poll.ts";
import { mayPass, pause } from "./retry.ts";
import type { Sockets } from "./sockets.ts";
import { PULLED_SEQUENCE, SEALED_SEQUENCE } from "./state-keys.ts";

/** Tells that the log has grown, or that a batch was sealed. */
export interface News {
  /**
   * Returns when pulling may bring something.
   *
   * @throws AgentError ABORTED; UNAUTHORIZED when the credential has ended; REFUSED when the sequencer does not understand this
   * agent; or as the API does, but what passes by itself
   */
  readonly next: () => Promise<void>;
  readonly close: () => void;
}

/** Times of live subscriptions, in milliseconds. */
export interface LiveTimes extends SubscriptionTimes {
  /** Upper bound of the wait after a subscription that worked; it doubles with each one that did not. */
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
  /** Of the waits between two pulls while the sequencer cannot be reached. */
  readonly longestPauseMs: number;
  /** A subscription that has lasted so long has worked. */
  readonly stableMs: number;
  /** Least wait when the sequencer cannot read a payload. */
  readonly unreadableMs: number;
  /** For which a long poll is held at most while events are not proven yet: it tells nothing of batches. */
  readonly unprovenPollMs: number;
}

export const LIVE_TIMES: LiveTimes = {
  openMs: 10_000,
  pingMs: 30_000,
  pongMs: 10_000,
  ackMs: 250,
  firstDelayMs: 500,
  maxDelayMs: 300_000,
  longestPauseMs: 30_000,
  stableMs: 30_000,
  unreadableMs: 60_000,
  unprovenPollMs: 5_000,
};

/** Shorter than any long poll. */
const SHORT_MS = 1_000;

/** A subscription that goes on. */
interface Live {
  readonly credential: string;
  close: () => void;
  end: SubscriptionEnd | undefined;
}

/**
 * News over a live subscription. While there is none, because the platform has no WebSockets, they do not get through, or the last
 * one has ended a moment ago, over long polls: the worse it goes with sockets, the longer until the next one is tried.
 */
export function createNews(context: Context, signal: AbortSignal, times: LiveTimes): News {
  let live: Live | undefined;
  let failures = 0;
  let retryAt = 0;
  /** The last numbers that were told, until they are looked at. */
  let told: Numbers = {};
  let wake = (): void => undefined;
  // Whoever watches may be busy with what it was told last.
  const onAbort = (): void => {
    live?.close();
    wake();
  };
  signal.addEventListener("abort", onAbort);

  /** Another moment for each client, so that those who lost the sequencer together do not come back together. */
  function retryLater(atLeastMs = 0): void {
    const bound = Math.min(times.maxDelayMs, times.firstDelayMs * 2 ** failures);
    retryAt = Date.now() + atLeastMs + bound * (0.5 + Math.random() / 2);
  }

  async function subscribe(sockets: Sockets): Promise<Live | undefined> {
    const { pulled, sealed } = progress(context);
    const path = `/api/v1/ves/live?${streamQuery(context)}&from=${pulled + 1}&proven=${sealed}`;
    try {
      const credential = await sockets.credential();
      const begun: Live = { credential, close: () => undefined, end: undefined };
      begun.close = readSubscription(sockets.open(path, credential), times, {
        onNews: (news) => {
          told = { ...told, ...news };
          wake();
        },
        onEnd: (end) => {
          begun.end = end;
          wake();
        },
      });
      return begun;
    } catch {
      failures++;
      retryLater();
      return undefined;
    }
  }

  /** @throws AgentError UNAUTHORIZED or REFUSED */
  async function afterEnd({ code, lastedMs }: SubscriptionEnd, sockets: Sockets, credential: string): Promise<void> {
    if (code === LIVE_CLOSE.misunderstood) {
      throw new AgentError("REFUSED", "The sequencer does not understand what this agent says on a live subscription");
    }
    if (code === LIVE_CLOSE.credentialEnded && (await sockets.credential()) === credential) {
      throw new AgentError("UNAUTHORIZED", "The credential has expired or was revoked");
    }
    failures = lastedMs >= times.stableMs ? 0 : failures + 1;
    retryLater(code === LIVE_CLOSE.unreadable ? times.unreadableMs : 0);
  }

  /** Whether something was told since the last time that the store does not have. */
  function isNews(): boolean {
    const { sequence = 0, proven = 0 } = told;
    told = {};
    const { pulled, sealed } = progress(context);
    return sequence > pulled || proven > sealed;
  }

  async function poll(): Promise<void> {
    const { pulled, sealed } = progress(context);
    const untilRetry = context.sockets === undefined || pulled === 0 ? Infinity : retryAt - Date.now();
    try {
      await longPoll(context, Math.min(untilRetry, sealed < pulled ? times.unprovenPollMs : Infinity), signal);
    } catch (error) {
      if (!mayPass(error)) throw error;
    }
  }

  return {
    next: async () => {
      for (;;) {
        throwIfAborted(signal);
        const { sockets } = context;
        // Nobody can subscribe to a stream that has no event yet.
        if (sockets === undefined || progress(context).pulled === 0) return poll();
        if (live === undefined) {
          const waitMs = retryAt - Date.now();
          if (waitMs > SHORT_MS) return poll();
          await pause(Math.max(0, waitMs), signal);
          live = await subscribe(sockets);
          if (live === undefined) return;
          continue;
        }
        if (isNews()) return;
        if (live.end !== undefined) {
          const { end, credential } = live;
          live = undefined;
          await afterEnd(end, sockets, credential);
          // Something may have come that was not told any more.
          return;
        }
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
    close: () => {
      signal.removeEventListener("abort", onAbort);
      live?.close();
    },
  };
}

function progress(context: Context): { readonly pulled: number; readonly sealed: number } {
  return transaction(context, (tables) => ({
    pulled: Number(tables.state(PULLED_SEQUENCE) ?? 0),
    sealed: Number(tables.state(SEALED_SEQUENCE) ?? 0),
  }));
}
