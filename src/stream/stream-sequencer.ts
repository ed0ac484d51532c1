import { DurableObject } from "cloudflare:workers";
import { streamMigrations } from "../../migrations/stream/index.ts";
import { durableStore } from "../storage/durable-store.ts";
import { isEmptyStore, migrate } from "../storage/migrate.ts";
import type { SqlStore } from "../storage/sql-store.ts";
import { LEASE_HONOURED_MS } from "../tenant/lease.ts";
import { registryStub } from "../tenant/registry-client.ts";
import { appendEvents } from "./append.ts";
import { advanceCursor, readCursor } from "./cursor.ts";
import type {
  AppendRequest,
  AppendResult,
  Cursor,
  CursorUpdate,
  EntityHistory,
  EventPage,
  PageRequest,
  SequencedEvent,
} from "./messages.ts";
import { readEntityHistory, readEvent, readEvents, readHead } from "./read.ts";
import { parseStreamObjectName, type StreamRef } from "./stream-ref.ts";

/** Appends beyond this much waiting are refused at once: about two seconds of work, a quarter of an isolate's memory. */
const MAX_QUEUED: Load = { events: 50_000, characters: 16 * 1024 * 1024 };
/** Work of one event-loop turn, about 100 ms: it bounds how long a lease can be relied on after it was looked at. */
const MAX_PER_TURN: Load = { events: 2_000, characters: 8 * 1024 * 1024 };
/**
 * An object may hold 10 GB. Appends end below that, with an answer, so that a full stream can still be read and nobody
 * meets a write that fails.
 */
const MAX_STORED_BYTES = 9.5e9;
/** A registry that takes longer than its lease is worth is as good as away. */
const LEASE_ATTEMPTS = 2;
/** Long polls beyond this many are answered at once with what there is. */
const MAX_WAITING_READERS = 1_000;

/** How much there is to do: events, and UTF-16 units of their payloads. */
interface Load {
  readonly events: number;
  readonly characters: number;
}

interface QueuedAppend {
  readonly request: AppendRequest;
  readonly load: Load;
  readonly settle: (result: AppendResult) => void;
}

interface WaitingReader {
  readonly sequenceNumber: number;
  readonly stop: () => void;
}

interface Lease {
  readonly version: number;
  /** Milliseconds since the epoch, on this object's clock. */
  readonly honouredUntil: number;
}

/**
 * The sequencer of one (tenant, store) stream: a thin shell around the synchronous functions beside it. It adds what
 * needs the platform: the object's storage, one commit for all callers of a turn, the registry lease, and waiting readers.
 *
 * Durability: an answer leaves only when everything written before it is on disk (the output gate; never allowUnconfirmed).
 */
export class StreamSequencer extends DurableObject<Env> {
  readonly #store: SqlStore;
  readonly #stream: StreamRef;
  readonly #queue: QueuedAppend[] = [];
  #queued: Load = { events: 0, characters: 0 };
  #draining = false;
  #lease: Lease | null = null;
  readonly #waitingReaders = new Set<WaitingReader>();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    if (ctx.id.name === undefined) throw new Error("a stream's object is reached by its name");
    this.#stream = parseStreamObjectName(ctx.id.name);
    this.#store = durableStore(ctx);
    if (!isEmptyStore(this.#store)) migrate(this.#store, streamMigrations);
  }

  /**
   * Appends in order of arrival. Rejects only when the object is lost or reset while it works: what was asked may or may
   * not be in the log then, and repeating it tells.
   */
  append(request: AppendRequest): Promise<AppendResult> {
    const load = loadOf(request);
    const queued = sum(this.#queued, load);
    if (this.#queue.length > 0 && exceeds(queued, MAX_QUEUED)) {
      return Promise.resolve({ kind: "unavailable", cause: "queue_full" });
    }
    return new Promise((settle) => {
      this.#queue.push({ request, load, settle });
      this.#queued = queued;
      if (!this.#draining) {
        this.#draining = true;
        this.ctx.waitUntil(this.#drain());
      }
    });
  }

  /** The highest number, 0 for an unknown stream. */
  head(): number {
    return readHead(this.#store);
  }

  events(request: PageRequest): EventPage {
    return readEvents(this.#store, this.#stream, request);
  }

  /** As {@link events}, but when there is nothing from `from` on yet, waits until there is or `waitMs` have passed. */
  async waitForEvents(request: PageRequest, waitMs: number): Promise<EventPage> {
    const hasNothing = readHead(this.#store) < Math.max(1, request.from);
    if (hasNothing && this.#waitingReaders.size < MAX_WAITING_READERS) await this.#headReaches(request.from, waitMs);
    return this.events(request);
  }

  event(eventId: string): SequencedEvent | null {
    return readEvent(this.#store, this.#stream, eventId);
  }

  entityHistory(entity: { type: string; id: string; offset: number; limit: number }): EntityHistory {
    return readEntityHistory(this.#store, this.#stream, entity);
  }

  cursor(agentId: string): Cursor {
    return readCursor(this.#store, agentId);
  }

  advanceCursor(agentId: string, sequenceNumber: number): CursorUpdate {
    return advanceCursor(this.#store, agentId, sequenceNumber, Date.now());
  }

  /**
   * Group commit: whoever arrives while one commit is on its way to disk shares the next. An idle stream commits at once.
   */
  async #drain(): Promise<void> {
    try {
      while (this.#queue.length > 0) {
        const turn = this.#takeTurn();
        const lease = await this.#currentLease(Math.max(...turn.map(({ request }) => request.registryVersion)));
        const isFull = this.ctx.storage.sql.databaseSize > MAX_STORED_BYTES;
        for (const { request, settle } of turn) settle(this.#appendNow(request, lease, isFull));
        this.#wakeReaders();
        await this.ctx.storage.sync();
      }
      this.#draining = false;
    } catch (error) {
      // Whoever waits is told by the reset, and repeats.
      console.error("the stream is reset to what is on disk", error);
      this.ctx.abort("the stream failed");
    }
  }

  /** Takes the oldest queued appends out of the queue, as many as one turn may hold; at least one. */
  #takeTurn(): QueuedAppend[] {
    let taken: Load = { events: 0, characters: 0 };
    const beyond = this.#queue.findIndex(({ load }, index) => {
      taken = sum(taken, load);
      return index > 0 && exceeds(taken, MAX_PER_TURN);
    });
    const turn = this.#queue.splice(0, beyond === -1 ? this.#queue.length : beyond);
    this.#queued = this.#queue.map(({ load }) => load).reduce(sum, { events: 0, characters: 0 });
    return turn;
  }

  #appendNow(request: AppendRequest, lease: Lease | null, isFull: boolean): AppendResult {
    if (lease === null) return { kind: "unavailable", cause: "registry" };
    if (request.registryVersion !== lease.version) {
      return { kind: "stale_registry", currentVersion: lease.version };
    }
    if (isFull) return { kind: "unavailable", cause: "stream_full" };
    const { head, outcomes } = appendEvents(this.#store, request.events, request.receiptKeyVersion, Date.now());
    return { kind: "appended", head, outcomes };
  }

  /** A lease that is alive now and not older than `version`, or null when the registry does not answer in time. */
  async #currentLease(version: number): Promise<Lease | null> {
    for (let attempt = 0; attempt < LEASE_ATTEMPTS; attempt++) {
      if (this.#lease !== null && Date.now() < this.#lease.honouredUntil && version <= this.#lease.version) {
        return this.#lease;
      }
      this.#lease = await this.#askForLease();
    }
    // What came too late is no lease: the registry may have stopped waiting for it.
    return this.#lease !== null && Date.now() < this.#lease.honouredUntil ? this.#lease : null;
  }

  async #askForLease(): Promise<Lease | null> {
    // Counted from before the question: the registry counts from its answer, which can only be later.
    const honouredUntil = Date.now() + LEASE_HONOURED_MS;
    const registry = registryStub(this.env, this.#stream.tenantId);
    const patience = new AbortController();
    const outOfPatience = scheduler.wait(LEASE_HONOURED_MS, { signal: patience.signal }).then(() => null);
    try {
      const version = await Promise.race([registry.lease(), outOfPatience]);
      return version === null ? null : { version, honouredUntil };
    } catch (error) {
      console.error("the tenant's registry did not answer", error);
      return null;
    } finally {
      patience.abort();
    }
  }

  /** Settles when there is an event with this number, or `waitMs` have passed. */
  #headReaches(sequenceNumber: number, waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const stop = (): void => {
        clearTimeout(timer);
        this.#waitingReaders.delete(reader);
        resolve();
      };
      const reader = { sequenceNumber, stop };
      const timer = setTimeout(stop, waitMs);
      this.#waitingReaders.add(reader);
    });
  }

  #wakeReaders(): void {
    if (this.#waitingReaders.size === 0) return;
    const head = readHead(this.#store);
    for (const reader of this.#waitingReaders) if (reader.sequenceNumber <= head) reader.stop();
  }
}

function loadOf({ events }: AppendRequest): Load {
  return { events: events.length, characters: events.reduce((length, event) => length + event.payloadText.length, 0) };
}

function sum(a: Load, b: Load): Load {
  return { events: a.events + b.events, characters: a.characters + b.characters };
}

function exceeds(load: Load, limit: Load): boolean {
  return load.events > limit.events || load.characters > limit.characters;
}
