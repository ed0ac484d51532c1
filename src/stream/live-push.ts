import { payloadProblemText } from "../at-rest/open-payload.ts";
import { payloadKeyrings } from "../at-rest/payload-keyrings.ts";
import { failure, log } from "../observe/log.ts";
import { recorder } from "../observe/recorder.ts";
import { readSettings } from "../settings.ts";
import { isEmptyStore } from "../storage/migrate.ts";
import type { SqlStore } from "../storage/sql-store.ts";
import { LiveCredentials } from "./live-credentials.ts";
import { type LiveCredit, liveCredit, MAX_UNACKED_BYTES } from "./live-credit.ts";
import { type LiveMessage, type LiveSource, nextMessage, subscribedText } from "./live-messages.ts";
import { LIVE_CLOSE, parseClientMessage, PING, PONG } from "./live-protocol.ts";
import {
  acknowledged,
  checked,
  type LivePosition,
  type LiveRequest,
  moved,
  newSubscription,
  PATIENCE_MS,
  stalled,
  type Subscription,
  unackedBytes,
} from "./live-subscription.ts";
import { type Progress, readProgress } from "./progress.ts";
import type { StreamRef } from "../stream-ref.ts";

/** Subscribers of one stream. Each costs a send for every event, and 32 KiB that it has not acknowledged. */
const MAX_SUBSCRIBERS = 1_000;

/** Made and sent in one turn of the event loop, which appends wait for: a few milliseconds. */
const MAX_PER_TURN = { messages: 32, bytes: 256 * 1024 };

/** What a round has come to. */
interface Load {
  /** Bytes that all subscribers together have not acknowledged: counted when the round begins, and what it sends. */
  unacked: number;
  /** Made and sent in this turn of the event loop. */
  readonly turn: { messages: number; bytes: number };
}

/**
 * From one round to the next. Under load, what arrives meanwhile goes in one message, and appends have most of the object's
 * time; the first round begins at once.
 */
const ROUND_PAUSE_MS = 20;

/** How soon a registry is asked again that did not say whether a key still stands. */
const UNKNOWN_KEY_RETRY_MS = 5_000;

/**
 * Pushes a stream's events and batches to its subscribers.
 *
 * The subscriptions are with their sockets (`serializeAttachment`); what is held here is found out again. Nothing is written.
 * Rounds run beside the appends and never within one: a subscriber costs an append the end of the turn that it meets. What a
 * round sends leaves the object only once the events are on disk, as every answer does (the output gate).
 */
export class LivePush {
  readonly #ctx: DurableObjectState;
  readonly #env: Env;
  readonly #store: SqlStore;
  readonly #stream: StreamRef;
  readonly #done: () => void;
  readonly #credentials: LiveCredentials;
  /** What the sockets' attachments hold, read once for each socket. */
  readonly #known = new WeakMap<WebSocket, Subscription>();
  #source: (LiveSource & { readonly keyMaxAgeMs: number }) | null = null;
  #isPushing = false;
  /** Something has happened since the round began. */
  #isWoken = false;
  /** Somebody's turn may not have come because of what others have not acknowledged. Only a round finds out. */
  #isShort: boolean;
  #nextCheckAt: number | null;

  constructor(parts: {
    readonly ctx: DurableObjectState;
    readonly env: Env;
    readonly store: SqlStore;
    readonly stream: StreamRef;
    /** Called after the last of some rounds: {@link nextCheckAt} may have changed, and there are numbers to deliver. */
    readonly done: () => void;
  }) {
    this.#ctx = parts.ctx;
    this.#env = parts.env;
    this.#store = parts.store;
    this.#stream = parts.stream;
    this.#done = parts.done;
    this.#credentials = new LiveCredentials(parts.env, parts.stream.tenantId);
    this.#ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PING, PONG));
    this.#nextCheckAt = this.#earliestCheck();
    // Whether somebody waited when the object left memory is with no socket.
    this.#isShort = this.#sockets().length > 0;
  }

  /**
   * Begins a subscription. Answers with 101 and the client's end of its socket; with 404 when there is no log yet, with 503 when
   * there are as many subscribers as there may be.
   */
  accept(request: LiveRequest): Response {
    if (isEmptyStore(this.#store)) return new Response(null, { status: 404 });
    if (this.#sockets().length >= MAX_SUBSCRIBERS) return new Response(null, { status: 503 });
    const { 0: client, 1: socket } = new WebSocketPair();
    this.#ctx.acceptWebSocket(socket);
    const subscription = newSubscription(request, Date.now());
    this.#keep(socket, subscription);
    socket.send(subscribedText(subscription, readProgress(this.#store)));
    this.wake();
    return new Response(null, { status: 101, webSocket: client });
  }

  /** Takes what a subscriber says. */
  receive(socket: WebSocket, data: string | ArrayBuffer): void {
    const subscription = this.#subscriptionOf(socket);
    if (subscription === null) return;
    const message = parseClientMessage(data);
    const after = message === undefined ? null : acknowledged(subscription, message);
    if (after === null) {
      end(socket, "misunderstood", 'expected {"type":"ack","sequence":n} or "proven", of what was sent');
      return;
    }
    if (after === subscription) return;
    this.#keep(socket, after);
    if (subscription.stalledAt !== null || this.#isShort) this.wake();
  }

  /** To be called when a socket has closed: others may have waited for what it had not acknowledged. */
  closed(): void {
    this.#nextCheckAt = this.#earliestCheck();
    if (this.#isShort) this.wake();
  }

  /** To be called after every change of the log, and when the object's alarm fires. Returns at once. */
  wake(): void {
    this.#isWoken = true;
    if (this.#isPushing) return;
    if (this.#sockets().length === 0) {
      // The last one's time may pass long after it left, and an alarm for a time that has passed fires again at once.
      this.#nextCheckAt = null;
      return;
    }
    this.#isPushing = true;
    this.#ctx.waitUntil(this.#push());
  }

  /** When to be woken though nothing happens, in milliseconds since the epoch; null: not at all, or not before it is done. */
  nextCheckAt(): number | null {
    return this.#isPushing ? null : this.#nextCheckAt;
  }

  async #push(): Promise<void> {
    try {
      let hasMoved: boolean;
      let pauseMs = 0;
      do {
        await scheduler.wait(pauseMs);
        pauseMs = ROUND_PAUSE_MS;
        this.#isWoken = false;
        hasMoved = await this.#round();
      } while (hasMoved || this.#isWoken);
    } catch (error) {
      log.error("pushing to the stream's subscribers failed", { ...this.#names, ...failure(error) });
      for (const socket of this.#sockets()) end(socket, "failed", "the stream failed: resume");
    } finally {
      this.#isPushing = false;
      this.#nextCheckAt = this.#earliestCheck();
      this.#done();
    }
  }

  /** Gives each subscriber the one message that is next for it, if its credit allows. Whether anybody got further. */
  async #round(): Promise<boolean> {
    const source = (this.#source ??= this.#open());
    this.#isShort = false;
    await this.#credentials.refresh(this.#keyHashes(), source.keyMaxAgeMs);
    const sockets = this.#sockets().filter((socket) => this.#maySee(socket));
    const credit = liveCredit(sockets.length);
    const load = { unacked: this.#unackedOfAll(), turn: { messages: 0, bytes: 0 } };
    let hasMoved = false;
    for (const { position, members } of this.#waiting(sockets, credit)) {
      await letOthersIn(load);
      const message = await nextMessage(source, position, credit.pageBytes);
      if (message === null) continue;
      if (message.kind === "unreadable") {
        const { sequenceNumber, problem } = message;
        log.error("an event's payload cannot be read", {
          ...this.#names,
          sequence_number: sequenceNumber,
          error: payloadProblemText(problem),
        });
        const reason = `the payload of event ${sequenceNumber} cannot be decrypted; the server's log says why`;
        for (const socket of members) end(socket, "unreadable", reason);
        continue;
      }
      load.turn.bytes += message.bytes;
      if (await this.#send(message, members, load)) hasMoved = true;
    }
    return hasMoved;
  }

  /** Those for whom there is more and who have credit left, by what they get next. */
  #waiting(
    sockets: readonly WebSocket[],
    { windowBytes }: LiveCredit,
  ): readonly { readonly position: LivePosition; readonly members: readonly WebSocket[] }[] {
    const progress = readProgress(this.#store);
    const groups = new Map<string, { readonly position: LivePosition; readonly members: WebSocket[] }>();
    for (const socket of sockets) {
      const subscription = this.#subscriptionOf(socket);
      if (subscription === null || !hasMore(subscription, progress)) continue;
      if (unackedBytes(subscription) >= windowBytes) {
        this.#stall(socket, subscription);
        continue;
      }
      const { sequence, proven, filters } = subscription;
      const key = JSON.stringify([sequence, proven, filters]);
      const group = groups.get(key) ?? { position: { sequence, proven, filters }, members: [] };
      group.members.push(socket);
      groups.set(key, group);
    }
    return [...groups.values()];
  }

  /** Sends one message to all who are where it follows on. Whether anybody got it. */
  async #send({ text, bytes, ...position }: LiveMessage, members: readonly WebSocket[], load: Load): Promise<boolean> {
    let hasMoved = false;
    let sent = 0;
    for (const socket of members) {
      await letOthersIn(load);
      const subscription = this.#subscriptionOf(socket);
      if (subscription === null) continue;
      if (text !== null && load.unacked + bytes > MAX_UNACKED_BYTES) {
        this.#isShort = true;
        if (unackedBytes(subscription) > 0) this.#stall(socket, subscription);
        continue;
      }
      this.#keep(socket, moved(subscription, position, bytes));
      if (text !== null) {
        socket.send(text);
        sent++;
      }
      hasMoved = true;
      load.unacked += bytes;
      load.turn.messages++;
      load.turn.bytes += bytes;
    }
    recorder.count("sequencer_live_messages_sent", {}, sent);
    return hasMoved;
  }

  /** Data waits for what this subscriber has not acknowledged: it ends when that has lasted too long. */
  #stall(socket: WebSocket, subscription: Subscription): void {
    const now = Date.now();
    const waiting = stalled(subscription, now);
    if (now - (waiting.stalledAt ?? now) >= PATIENCE_MS) {
      end(socket, "tooSlow", `nothing was acknowledged for ${PATIENCE_MS / 1_000} s while data waited: resume`);
    } else if (waiting !== subscription) {
      this.#keep(socket, waiting);
    }
  }

  /** Whether its credential still stands, as far as is known; its subscription ends when it does not. */
  #maySee(socket: WebSocket): boolean {
    const subscription = this.#subscriptionOf(socket);
    if (subscription === null) return false;
    const now = Date.now();
    const { apiKeyHash, expiresAt } = subscription.credential;
    const state = apiKeyHash === null ? "valid" : this.#credentials.stateOf(apiKeyHash);
    if (state === "ended" || (expiresAt !== null && expiresAt <= now)) {
      end(socket, "credentialEnded", "the credential has expired or was revoked");
      return false;
    }
    if (state === "unknown") this.#keep(socket, { ...subscription, checkAt: now + UNKNOWN_KEY_RETRY_MS });
    else if (subscription.checkAt <= now) this.#keep(socket, checked(subscription, now));
    return state === "valid";
  }

  /** Payloads are opened here for what is sent, and nowhere kept. @throws ConfigError */
  #open(): LiveSource & { readonly keyMaxAgeMs: number } {
    const settings = readSettings(this.#env as unknown as Record<string, unknown>);
    const keyring = payloadKeyrings(settings)(this.#stream.tenantId);
    const keyMaxAgeMs = settings.API_KEY_CACHE_TTL_SECS * 1_000;
    return { store: this.#store, stream: this.#stream, keyring, keyMaxAgeMs };
  }

  #sockets(): readonly WebSocket[] {
    return this.#ctx.getWebSockets().filter(({ readyState }) => readyState === WebSocket.OPEN);
  }

  #subscriptions(): readonly Subscription[] {
    return this.#sockets().flatMap((socket) => this.#subscriptionOf(socket) ?? []);
  }

  get #names(): { readonly tenant_id: string; readonly store_id: string } {
    return { tenant_id: this.#stream.tenantId, store_id: this.#stream.storeId };
  }

  #keyHashes(): ReadonlySet<string> {
    return new Set(this.#subscriptions().flatMap(({ credential }) => credential.apiKeyHash ?? []));
  }

  #unackedOfAll(): number {
    return this.#subscriptions().reduce((sum, subscription) => sum + unackedBytes(subscription), 0);
  }

  #earliestCheck(): number | null {
    const earliest = Math.min(...this.#subscriptions().map(({ checkAt }) => checkAt));
    return earliest === Infinity ? null : earliest;
  }

  /** What is known of a socket that is open; null when it is not, or nothing is: it ends then. */
  #subscriptionOf(socket: WebSocket): Subscription | null {
    if (socket.readyState !== WebSocket.OPEN) return null;
    const known = this.#known.get(socket);
    if (known !== undefined) return known;
    const attached = socket.deserializeAttachment() as Subscription | null;
    if (attached === null) end(socket, "failed", "the subscription is not known any more: resume");
    else this.#known.set(socket, attached);
    return attached;
  }

  #keep(socket: WebSocket, subscription: Subscription): void {
    socket.serializeAttachment(subscription);
    this.#known.set(socket, subscription);
  }
}

function hasMore({ sequence, proven }: LivePosition, { head, sealedSequence }: Progress): boolean {
  return sequence < head || proven < Math.min(sealedSequence, sequence);
}

/** Ends the turn of the event loop when it was long, so that appends which have come meanwhile go on. */
async function letOthersIn({ turn }: Load): Promise<void> {
  if (turn.messages < MAX_PER_TURN.messages && turn.bytes < MAX_PER_TURN.bytes) return;
  await scheduler.wait(0);
  turn.messages = 0;
  turn.bytes = 0;
}

function end(socket: WebSocket, cause: keyof typeof LIVE_CLOSE, reason: string): void {
  const code = LIVE_CLOSE[cause];
  recorder.count("sequencer_live_subscriptions_ended_total", { code });
  socket.close(code, reason);
}
