import { acknowledgement, LOST, parseLiveMessage, PING, PONG } from "./live-messages.ts";
import type { Socket } from "./sockets.ts";

/** Times of a subscription, in milliseconds. */
export interface SubscriptionTimes {
  /** Until the sequencer says that it has subscribed. */
  readonly openMs: number;
  /** Between two pings. */
  readonly pingMs: number;
  /** Until the answer to a ping. */
  readonly pongMs: number;
  /** For which acknowledgements are gathered. */
  readonly ackMs: number;
}

/** How a subscription has ended. */
export interface SubscriptionEnd {
  /** The socket's close code; 1006 as well when the other side was silent for too long. */
  readonly code: number;
  /** For how long it was subscribed, in milliseconds; 0 when it never was. */
  readonly lastedMs: number;
}

/** What a subscription tells. */
export interface SubscriptionListener {
  /** Called with the number of each message: there are events, or proofs, up to it. */
  readonly onNews: (news: Numbers) => void;
  /** Called once; nothing is told afterwards. */
  readonly onEnd: (end: SubscriptionEnd) => void;
}

/** Numbers of the last messages of each kind. */
export interface Numbers {
  readonly sequence?: number;
  readonly proven?: number;
}

/**
 * Reads a live subscription of which the socket is being opened: acknowledges what comes, and finds out when the connection is
 * dead though nobody has closed it.
 *
 * @returns what ends it
 */
export function readSubscription(socket: Socket, times: SubscriptionTimes, listener: SubscriptionListener): () => void {
  let subscribedAt: number | null = null;
  let isOver = false;
  let unacknowledged: Numbers = {};
  let ackTimer: ReturnType<typeof setTimeout> | undefined;
  let pingTimer: ReturnType<typeof setTimeout> | undefined;

  const end = (code: number): void => {
    if (isOver) return;
    isOver = true;
    for (const timer of [silenceTimer, ackTimer, pingTimer]) clearTimeout(timer);
    listener.onEnd({ code, lastedMs: subscribedAt === null ? 0 : Date.now() - subscribedAt });
  };
  /** What is dead does not answer a close either. */
  const giveUp = (): void => {
    end(LOST);
    socket.close();
  };
  let silenceTimer = setTimeout(giveUp, times.openMs);

  const acknowledge = (): void => {
    ackTimer = undefined;
    socket.send(acknowledgement(unacknowledged));
    unacknowledged = {};
  };
  const pingLater = (): void => {
    clearTimeout(silenceTimer);
    clearTimeout(pingTimer);
    pingTimer = setTimeout(() => {
      silenceTimer = setTimeout(giveUp, times.pongMs);
      socket.send(PING);
    }, times.pingMs);
  };

  socket.addEventListener("message", ({ data }) => {
    if (isOver) return;
    if (data === PONG) return pingLater();
    const message = parseLiveMessage(data);
    // Something in between, or a sequencer that is newer: what else it says need not be understood.
    if (message === undefined) return;
    if (message.type === "subscribed") {
      subscribedAt = Date.now();
      return pingLater();
    }
    const news = message.type === "events" ? { sequence: message.sequence } : { proven: message.proven };
    unacknowledged = { ...unacknowledged, ...news };
    ackTimer ??= setTimeout(acknowledge, times.ackMs);
    listener.onNews(news);
  });
  // A socket that was never opened may end in an error alone.
  socket.addEventListener("error", () => end(LOST));
  socket.addEventListener("close", ({ code }) => end(code));
  return giveUp;
}
