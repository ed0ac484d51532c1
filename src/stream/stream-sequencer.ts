import { DurableObject } from "cloudflare:workers";
import { streamMigrations } from "../../migrations/stream/index.ts";
import { durableStore } from "../storage/durable-store.ts";
import { isEmptyStore, migrate } from "../storage/migrate.ts";
import type { SqlStore } from "../storage/sql-store.ts";
import { LEASE_HONOURED_MS } from "../tenant/lease.ts";
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

/** Appends beyond this many waiting events are refused at once: about two seconds of work, under 100 MiB of memory. */
const MAX_QUEUED_EVENTS = 50_000;
/** Work of one event-loop turn, about 100 ms: it bounds how long a lease can be relied on after it was looked at. */
const MAX_EVENTS_PER_TURN = 2_000;
/** Long polls beyond this many are answered at once with what there is. */
const MAX_WAITING_READERS = 1_000;

interface QueuedAppend {
  readonly request: AppendRequest;
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
  #queuedEvents = 0;
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
    if (this.#queuedEvents + request.events.length > MAX_QUEUED_EVENTS) {
      return Promise.resolve({ kind: "unavailable", cause: "queue_full" });
    }
    return new Promise((settle) => {
      this.#queue.push({ request, settle });
      this.#queuedEvents += request.events.length;
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
        for (const { request, settle } of turn) settle(this.#appendNow(request, lease));
        this.#wakeReaders();
        await this.ctx.storage.sync();
      }
    } finally {
      this.#draining = false;
    }
  }

  /** Takes the oldest queued appends out of the queue, as many as one turn may hold; at least one. */
  #takeTurn(): QueuedAppend[] {
    let events = 0;
    const beyond = this.#queue.findIndex(
      ({ request }, index) => (events += request.events.length) > MAX_EVENTS_PER_TURN && index > 0,
    );
    const turn = this.#queue.splice(0, beyond === -1 ? this.#queue.length : beyond);
    for (const { request } of turn) this.#queuedEvents -= request.events.length;
    return turn;
  }

  #appendNow(request: AppendRequest, lease: Lease | null): AppendResult {
    if (lease === null) return { kind: "unavailable", cause: "registry" };
    if (request.registryVersion !== lease.version) {
      return { kind: "stale_registry", currentVersion: lease.version };
    }
    const { head, outcomes } = appendEvents(this.#store, request.events, request.receiptKeyVersion, Date.now());
    return { kind: "appended", head, outcomes };
  }

  /** A lease that is alive now and not older than `version`, or null when the registry cannot be reached. */
  async #currentLease(version: number): Promise<Lease | null> {
    if (this.#lease !== null && Date.now() < this.#lease.honouredUntil && version <= this.#lease.version) {
      return this.#lease;
    }
    // Counted from before the question: the registry counts from its answer, which can only be later.
    const asked = Date.now();
    try {
      const registry = this.env.TENANTS.get(this.env.TENANTS.idFromName(this.#stream.tenantId));
      this.#lease = { version: await registry.lease(), honouredUntil: asked + LEASE_HONOURED_MS };
      return this.#lease;
    } catch (error) {
      console.error("the tenant's registry did not answer", error);
      this.#lease = null;
      return null;
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
