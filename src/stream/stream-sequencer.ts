import { DurableObject } from "cloudflare:workers";
import { streamMigrations } from "../../migrations/stream/index.ts";
import { type PayloadKeyring, payloadKeyrings } from "../at-rest/payload-keyrings.ts";
import { type Connection, postgresProblem, withPostgres } from "../mirror/postgres.ts";
import { within } from "../observe/current-work.ts";
import { failure, log } from "../observe/log.ts";
import { reportLag, sendPieces } from "../observe/metrics-client.ts";
import { recorder, type SendPiece } from "../observe/recorder.ts";
import { observeAs } from "../observe/setup.ts";
import { inTrace } from "../observe/spans.ts";
import { readSettings, sealLimits } from "../settings.ts";
import { Alarm } from "../storage/alarm.ts";
import { durableStore } from "../storage/durable-store.ts";
import { isEmptyStore, migrate } from "../storage/migrate.ts";
import type { SqlStore } from "../storage/sql-store.ts";
import { parseStreamObjectName, type StreamRef } from "../stream-ref.ts";
import { registryStub } from "../tenant/registry-client.ts";
import { readAnchorState } from "./anchor-state.ts";
import { noteAnchors } from "./anchors.ts";
import { answerRepetition, appendEvents } from "./append.ts";
import { AppendQueue, type QueuedAppend } from "./append-queue.ts";
import { latestBatch, listBatches, readBatch, readProof, readProofOfEvent } from "./batches.ts";
import { compareWithChain } from "./chain-conflict.ts";
import { advanceCursor, readCursor } from "./cursor.ts";
import { readFrozen } from "./frozen.ts";
import { LivePush } from "./live-push.ts";
import { readLiveRequest } from "./live-request.ts";
import type {
  AnchorNote,
  AppendRequest,
  AppendResult,
  BatchList,
  BatchListRequest,
  ChainTip,
  CommitResult,
  Cursor,
  CursorUpdate,
  EntityHistory,
  EventPage,
  Frozen,
  PageRequest,
  ProofResult,
  ReencryptRequest,
  ReencryptResult,
  RestorationOutlook,
  RestoreRefusal,
  RestoreResult,
  StoredBatch,
  StoredEvent,
  StreamState,
} from "./messages.ts";
import { readMirrorState } from "./mirror-state.ts";
import { readEntityHistory, readEvent, readEvents, readHead } from "./read.ts";
import { reencryptPiece } from "./reencrypt.ts";
import { type Lease, RegistryLease } from "./registry-lease.ts";
import { restorationOutlook, restoreStep } from "./restore.ts";
import { commitRange, readSealedRange } from "./seal.ts";
import type { SealLimits } from "./seal-limits.ts";
import { Upkeep } from "./upkeep.ts";
import { WaitingReaders } from "./waiting-readers.ts";

/**
 * An object may hold 10 GB. Appends end below that, with an answer, so that a full stream can still be read and nobody
 * meets a write that fails.
 */
const MAX_STORED_BYTES = 9.5e9;
/** How long an explicit commitment waits to be found in the index of batches, which is in Postgres. */
const INDEX_PATIENCE_MS = 1_000;

/**
 * The sequencer of one (tenant, store) stream: a thin shell around the synchronous functions beside it. It adds what
 * needs the platform: the object's storage, one commit for all callers of a turn, the registry lease, and waiting readers.
 *
 * Durability: an answer leaves only when everything written before it is on disk (the output gate; never allowUnconfirmed).
 */
export class StreamSequencer extends DurableObject<Env> {
  readonly #store: SqlStore;
  readonly #stream: StreamRef;
  readonly #queue = new AppendQueue();
  #draining = false;
  readonly #waitingReaders = new WaitingReaders();
  readonly #sealLimits: SealLimits;
  readonly #lease: RegistryLease;
  readonly #upkeep: Upkeep;
  readonly #live: LivePush;
  /** Null in a deployment without a mirror. */
  readonly #hyperdrive: Hyperdrive | null;
  readonly #sendPiece: SendPiece | null;
  /** Rows that were written and are not counted yet. */
  #rowsWritten = 0;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    observeAs(env);
    this.#sendPiece = sendPieces(env);
    if (ctx.id.name === undefined) throw new Error("a stream's object is reached by its name");
    this.#stream = parseStreamObjectName(ctx.id.name);
    this.#store = durableStore(ctx, (rows) => this.#countRows(rows));
    this.#sealLimits = sealLimits(env as unknown as Record<string, unknown>);
    this.#hyperdrive = env.POSTGRES ?? null;
    this.#lease = new RegistryLease(env, this.#stream.tenantId);
    this.#upkeep = new Upkeep({
      store: this.#store,
      stream: this.#stream,
      limits: this.#sealLimits,
      alarm: new Alarm(ctx.storage),
      hyperdrive: this.#hyperdrive,
      deliverNotes: (notes) => registryStub(env, this.#stream.tenantId).recordStreamNotes(this.#stream.storeId, notes),
      sendReport: (lag) => reportLag(env, this.#stream, lag),
      lifetime: ctx,
      deliverNumbers: () => this.#deliverNumbers(),
      alsoDueAt: () => this.#live.nextCheckAt(),
    });
    const done = (): void => {
      this.#upkeep.schedule();
      this.#deliverNumbers();
    };
    this.#live = new LivePush({ ctx, env, store: this.#store, stream: this.#stream, done });
    if (isEmptyStore(this.#store)) return;
    migrate(this.#store, streamMigrations);
    void ctx.blockConcurrencyWhile(() => this.#upkeep.resume());
  }

  /**
   * Appends in order of arrival. Rejects only when the object is lost or reset while it works: what was asked may or may
   * not be in the log then, and repeating it tells.
   */
  append(request: AppendRequest): Promise<AppendResult> {
    const { requestId, trace } = request.work ?? {};
    // Without a trace that the caller records there is nothing to add to.
    if (trace === undefined) return this.#enqueue(request);
    const options = { name: "append in the object", kind: "server", attributes: this.#names } as const;
    return within({ requestId }, () => inTrace(options, trace, this.ctx, () => this.#enqueue(request)));
  }

  #enqueue(request: AppendRequest): Promise<AppendResult> {
    const result = this.#queue.add(request);
    if (result === null) return Promise.resolve({ kind: "unavailable", cause: "queue_full" });
    if (!this.#draining) {
      this.#draining = true;
      this.ctx.waitUntil(this.#drain());
    }
    return result;
  }

  /** The highest number, 0 for an unknown stream. */
  head(): number {
    return readHead(this.#store);
  }

  /** A stream that is empty although its store is known asks Postgres whether it was lost. */
  async state(): Promise<StreamState> {
    if (isEmptyStore(this.#store)) {
      const problem = await this.#upkeep.problemOfBeginning();
      const frozenReason = problem?.kind === "frozen" ? problem.reason : null;
      return { head: 0, latestBatch: null, anchoredSequence: 0, mirroredSequence: 0, frozenReason };
    }
    return {
      head: readHead(this.#store),
      latestBatch: latestBatch(this.#store),
      anchoredSequence: readAnchorState(this.#store).anchoredSequence,
      mirroredSequence: readMirrorState(this.#store).mirroredSequence,
      frozenReason: readFrozen(this.#store)?.reason ?? null,
    };
  }

  /** Seals a range at once. Waits a moment for Postgres to have it, so that it is found by its id from then on. */
  async commit(range: { readonly start: number; readonly end: number }): Promise<CommitResult> {
    const frozen = readFrozen(this.#store);
    if (frozen !== null) {
      // What is sealed already is answered all the same.
      const batch = readSealedRange(this.#store, range);
      return batch === null ? frozen : { kind: "sealed", batch };
    }
    const result = commitRange(this.#store, this.#stream, range, Date.now(), crypto.randomUUID());
    if (result.kind !== "sealed") return result;
    this.#upkeep.schedule();
    this.#live.wake();
    const { mirroredSequence, failures } = readMirrorState(this.#store);
    if (mirroredSequence < range.end && failures === 0) {
      const patience = new AbortController();
      const outOfPatience = scheduler.wait(INDEX_PATIENCE_MS, { signal: patience.signal }).catch(() => undefined);
      await Promise.race([this.#upkeep.mirror().finally(() => patience.abort()), outOfPatience]);
    }
    return result;
  }

  batch(batchId: string): StoredBatch | null {
    return readBatch(this.#store, batchId);
  }

  batches(request: BatchListRequest): BatchList {
    return listBatches(this.#store, request);
  }

  proof(sequenceNumber: number): ProofResult {
    return readProof(this.#store, sequenceNumber, this.#sealLimits, Date.now());
  }

  proofOfEvent(eventId: string): ProofResult {
    return readProofOfEvent(this.#store, eventId, this.#sealLimits, Date.now());
  }

  /** Takes over what the anchoring Worker tells of batches. */
  noteAnchors(notes: readonly AnchorNote[]): void {
    noteAnchors(this.#store, notes);
  }

  /** Freezes the stream while the contract holds what is not of its history, which is answered; null when they agree. */
  compareWithChain(tip: ChainTip): Frozen | null {
    const conflict = compareWithChain(this.#store, tip);
    // While it is frozen nothing is sealed: what became due meanwhile is so at once.
    this.#upkeep.schedule();
    return conflict;
  }

  /** Does a piece of the work of rebuilding this stream from Postgres; repeated until it is restored. */
  async restore(): Promise<RestoreResult> {
    const keyring = this.#payloadKeyring();
    try {
      return await this.#fromMirror((connection) => restoreStep(this.#store, this.#stream, connection, keyring));
    } finally {
      this.#upkeep.schedule();
      this.#live.wake();
    }
  }

  /** What {@link restore} would begin with. */
  async restorationOutlook(): Promise<RestorationOutlook> {
    return this.#fromMirror((connection) => restorationOutlook(this.#store, this.#stream, connection));
  }

  async #fromMirror<Result>(
    work: (connection: Connection) => Promise<Result>,
  ): Promise<Result | { readonly kind: "refused"; readonly refusal: RestoreRefusal }> {
    if (this.#hyperdrive === null) return { kind: "refused", refusal: { kind: "no_mirror" } };
    try {
      return await withPostgres(this.#hyperdrive, work);
    } catch (error) {
      log.error("restoring from Postgres failed", { ...this.#names, error: String(error) });
      return { kind: "refused", refusal: { kind: "unreachable" } };
    }
  }

  /** Brings the payloads of a piece of the log under the current key, or only says under which keys they are. */
  async reencrypt(request: ReencryptRequest): Promise<ReencryptResult> {
    const hyperdrive = this.#hyperdrive;
    const withMirror =
      hyperdrive && (<T>(work: (connection: Connection) => Promise<T>) => withPostgres(hyperdrive, work));
    const parts = { store: this.#store, stream: this.#stream, keyring: this.#payloadKeyring(), withMirror };
    try {
      return await reencryptPiece(parts, request);
    } catch (error) {
      log.error("encrypting payloads anew failed", { ...this.#names, error: String(error) });
      return { kind: "unreachable", reason: postgresProblem(error) };
    }
  }

  override alarm(): void {
    // First: while it is under way, it is not due.
    this.#live.wake();
    this.#upkeep.run();
  }

  /** Begins a live subscription. Only Workers get here, with the subscription that they have checked as a header. */
  override fetch(request: Request): Response {
    return this.#live.accept(readLiveRequest(request));
  }

  override webSocketMessage(socket: WebSocket, data: string | ArrayBuffer): void {
    this.#live.receive(socket, data);
    this.#deliverNumbers();
  }

  override webSocketClose(socket: WebSocket): void {
    // Its client waits for the answer to its close.
    socket.close();
    this.#live.closed();
  }

  events(request: PageRequest): EventPage {
    return readEvents(this.#store, this.#stream, request);
  }

  /** As {@link events}, but when there is nothing from `from` on yet, waits until there is or `waitMs` have passed. */
  async waitForEvents(request: PageRequest, waitMs: number): Promise<EventPage> {
    const hasNothing = readHead(this.#store) < Math.max(1, request.from);
    if (hasNothing) await this.#waitingReaders.wait(request.from, waitMs);
    return this.events(request);
  }

  event(eventId: string): StoredEvent | null {
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
      while (!this.#queue.isEmpty) {
        const turn = this.#queue.takeTurn();
        const problem = isEmptyStore(this.#store) ? await this.#problemOfBeginning(turn) : null;
        // Asked for last: nothing may come between a lease and what relies on it.
        const lease = await this.#lease.current(Math.max(...turn.map(({ request }) => request.registryVersion)));
        const isFull = this.ctx.storage.sql.databaseSize > MAX_STORED_BYTES;
        const frozen = readFrozen(this.#store);
        for (const { request, settle } of turn) settle(problem ?? this.#appendNow(request, { lease, frozen, isFull }));
        this.#upkeep.schedule();
        this.#waitingReaders.wake(() => readHead(this.#store));
        this.#live.wake();
        await this.ctx.storage.sync();
        for (const { at } of turn) recorder.observeSince("sequencer_append_latency_seconds", {}, at);
        this.#deliverNumbers();
      }
      this.#draining = false;
    } catch (error) {
      // Whoever waits is told by the reset, and repeats.
      log.error("the stream is reset to what is on disk", { ...this.#names, ...failure(error) });
      this.ctx.abort("the stream failed");
    }
  }

  /** A statement is told of alone; they are counted together, once a turn. */
  #countRows(rows: number): void {
    if (this.#rowsWritten === 0) queueMicrotask(() => this.#deliverNumbers());
    this.#rowsWritten += rows;
  }

  #deliverNumbers(): void {
    recorder.count("sequencer_rows_written_total", { object: "stream" }, this.#rowsWritten);
    this.#rowsWritten = 0;
    recorder.deliverSoon(this.ctx, this.#sendPiece);
  }

  get #names(): { readonly tenant_id: string; readonly store_id: string } {
    return { tenant_id: this.#stream.tenantId, store_id: this.#stream.storeId };
  }

  /** Only what reads payloads needs it: all else goes on without keys. */
  #payloadKeyring(): PayloadKeyring {
    return payloadKeyrings(readSettings(this.env as unknown as Record<string, unknown>))(this.#stream.tenantId);
  }

  /** Whether the stream must not begin at 1 (`Upkeep.problemOfBeginning`). */
  async #problemOfBeginning(turn: readonly QueuedAppend[]): Promise<AppendResult | null> {
    const problem = await this.#upkeep.problemOfBeginning();
    // A store that its tenant did not know was never mirrored, as far as anybody knows: it need not wait for Postgres.
    const isNew = turn.some(({ request }) => request.isNewStore);
    return problem?.kind === "unavailable" && isNew ? null : problem;
  }

  #appendNow(
    request: AppendRequest,
    {
      lease,
      frozen,
      isFull,
    }: { readonly lease: Lease | null; readonly frozen: Frozen | null; readonly isFull: boolean },
  ): AppendResult {
    if (lease === null) return { kind: "unavailable", cause: "registry" };
    if (request.registryVersion !== lease.version) {
      return { kind: "stale_registry", currentVersion: lease.version };
    }
    // What is in the log already is answered all the same.
    if (frozen !== null) return answerRepetition(this.#store, request.events) ?? frozen;
    if (isFull) return { kind: "unavailable", cause: "stream_full" };
    const stamp = { sequencedAt: Date.now(), receiptKeyVersion: request.receiptKeyVersion };
    const { head, outcomes } = appendEvents(this.#store, request.events, stamp);
    return { kind: "appended", head, outcomes };
  }
}
