import { z } from "zod";
import {
  type Conflict,
  type ConflictStrategy,
  conflicts,
  resolveConflict,
  resolveConflicts,
  type UnresolvedConflict,
} from "./conflicts.ts";
import { type Context, transaction } from "./context.ts";
import { type ContextOptions, createContext } from "./create-context.ts";
import { type AgentEvent, draftOf } from "./draft.ts";
import type { SigningKeys, VerifiedEncryptionKey } from "./encryption/index.ts";
import { type EncryptionKeyRegistration, findEncryptionKey, registerEncryptionKey } from "./encryption-keys.ts";
import { AgentError } from "./errors.ts";
import type { Evidence, EvidenceSettings, EvidenceVerdict } from "./evidence.ts";
import { type LogEvent, logEvent, type UnsequencedEvent, unsequencedEvent } from "./log-event.ts";
import { createMutex } from "./mutex.ts";
import type { Outcome, PushReport } from "./outcomes.ts";
import { adviceFor } from "./outcomes.ts";
import { gatherEvidence, verifyHeld } from "./proof.ts";
import { pull, pulledSequence, type PullReport } from "./pull.ts";
import { push } from "./push.ts";
import { type QuarantinedEvent, quarantinedEvent } from "./quarantine.ts";
import { createRecorder, type RecordedEvent } from "./record.ts";
import type { AgentIdentity } from "./signer.ts";
import { type AgentStatus, statusOf } from "./status.ts";
import type { EntityRef, OutboxRow } from "./store/store.ts";
import { waitForEvent, type WaitOptions, type WaitTarget } from "./wait.ts";
import { checkWatchOptions, type Watched, watchLog, type WatchOptions } from "./watch.ts";

/** What an agent is made of. */
export interface AgentOptions extends ContextOptions {
  /** What becomes of conflicts in `sync()`; `manual` when absent. */
  readonly onConflict?: ConflictStrategy;
  /** Whether the sequencer is told in `sync()` up to where the log was pulled; not when absent. */
  readonly acknowledge?: boolean;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

/** What a synchronisation has done. */
export interface SyncReport {
  readonly push: PushReport;
  readonly pull: PullReport;
  /** Conflicts that were said again of the present version. */
  readonly rebased: number;
  /** Those that could not be said again, though `onConflict` wanted it. They stay in conflict. */
  readonly unresolved: readonly UnresolvedConflict[];
}

/** What the agent knows of an entity. */
export interface History extends EntityRef {
  /** Events of it that were pulled: what the next one gives as `baseVersion`. */
  readonly version: number;
  /** The verified ones, in the log's order. */
  readonly events: readonly LogEvent[];
  /** Own events that are not among them, in the order of recording. */
  readonly unsequenced: readonly UnsequencedEvent[];
}

/** An agent of one stream: it records events, sends them, and keeps a verified copy of the log. */
export interface Agent {
  readonly identity: AgentIdentity;
  /**
   * Signs an event and stores it. Needs no network. When it returns, the event is on disk and will be pushed.
   *
   * @throws AgentError INVALID_EVENT, EVENT_EXISTS or CLOSED; nothing was stored then
   */
  record(event: AgentEvent): Promise<RecordedEvent>;
  /** Sends what was recorded. Never throws for what the network or the sequencer does: the report says it. */
  push(options?: CallOptions): Promise<PushReport>;
  /** Brings the agent's copy of the log up to the head, verified. @throws AgentError */
  pull(options?: CallOptions): Promise<PullReport>;
  /**
   * Pushes, pulls, resolves conflicts as `onConflict` says, and pushes what came of that.
   *
   * @throws AgentError when the sequencer cannot be asked, or its answers are not to be believed
   */
  sync(options?: CallOptions): Promise<SyncReport>;
  /** Waits until a verified event is in the agent's copy of the log. @throws AgentError TIMEOUT, ABORTED */
  waitFor(target: WaitTarget, options?: WaitOptions): Promise<LogEvent>;
  /**
   * What happens in the log, each event and each sealed batch once and in order, moments after it happened. Nothing happens before
   * the first step of the loop, and the loop ends by `break`, by its signal, or when the agent is closed.
   *
   * @throws AgentError ABORTED; UNAUTHORIZED, FORBIDDEN or REFUSED when the sequencer turns this agent away; as pulling does for
   * what it brings. A sequencer that is away is waited for
   */
  watch(options?: WatchOptions): AsyncIterableIterator<Watched>;
  /** What is known of an entity, from the agent's own store. */
  history(entityType: string, entityId: string): Promise<History>;
  /** What became of an own event; `undefined` for one that is not in the store. */
  outcome(eventId: string): Outcome | undefined;
  /** Own events that expect another version of their entity than the present one, in the order of recording. */
  conflicts(): readonly Conflict[];
  /**
   * Ends a conflict. Pull first: what is said again is said of the version that the agent knows of.
   *
   * @returns id of the event that stands in its place; null when it was dropped
   * @throws AgentError NO_CONFLICT; CANNOT_ENCRYPT_ANEW for an encrypted event that the agent cannot read itself
   */
  resolve(eventId: string, resolution: "rebase" | "drop"): Promise<string | null>;
  /**
   * All that shows that an event is in the log, verified, to be kept or handed on.
   *
   * @param options.timeoutMs how long to wait for its batch to be sealed; not at all when absent
   * @throws AgentError NOT_FOUND, NOT_YET_SEALED, LOG_CONTRADICTION
   */
  proof(eventId: string, options?: CallOptions & { readonly timeoutMs?: number }): Promise<Evidence>;
  /** Verifies evidence against the pinned keys and the agent's copy of the log. Asks nobody but `anchor.ethCall`. */
  verify(evidence: Evidence, options?: Pick<EvidenceSettings, "anchor">): Promise<EvidenceVerdict>;
  /**
   * Lists a key at the sequencer, signed by the agent, for others to encrypt to. The same again renews its date.
   *
   * @throws AgentError INVALID_OPTIONS when no key is given and the agent has none; REFUSED when the kid is another key's
   */
  registerEncryptionKey(options?: CallOptions & EncryptionKeyRegistration): Promise<void>;
  /**
   * The key to encrypt to for an agent of the tenant, every signature checked. To be kept: recording needs no network then.
   *
   * @param options.signingKeys of that agent, where they are known from elsewhere: then the sequencer cannot make them up
   * @throws AgentError NO_ENCRYPTION_KEY, INVALID_DIRECTORY, SEQUENCER_KEY_CHANGED, SEQUENCER_KEY_NOT_APPROVED
   */
  findRecipient(
    agentId: string,
    options?: CallOptions & { readonly signingKeys?: SigningKeys },
  ): Promise<VerifiedEncryptionKey>;
  /** Events of the log that do not verify, and why. */
  quarantined(): readonly QuarantinedEvent[];
  status(): AgentStatus;
  /**
   * Removes own events from the store that were settled so long ago: those that the copy of the log holds where their receipts
   * say, those that were rebased or dropped, and with `withRejected` those that the sequencer refused.
   *
   * @returns how many
   */
  prune(olderThanMs: number, options?: { readonly withRejected?: boolean }): number;
  /** Waits for what is being stored or sent, and closes the store. */
  close(): Promise<void>;
}

/** Times that conflicts are resolved in one synchronisation: others may come in between again and again. */
const MAX_REBASES = 5;

/** @throws AgentError INVALID_OPTIONS; Error when the store cannot be read */
export async function createAgent(options: AgentOptions): Promise<Agent> {
  return agentOf(await createContext(options), options);
}

/** The agent whose work is done with this context; closing it closes the context's store. */
export function agentOf(context: Context, options: Pick<AgentOptions, "onConflict" | "acknowledge"> = {}): Agent {
  const recorder = createRecorder(context);
  const pushing = createMutex();
  const pulling = createMutex();
  const { identity, closing } = context;

  const open = <T>(work: () => T): T => {
    if (closing.signal.aborted) throw new AgentError("CLOSED", "The agent was closed");
    return work();
  };
  const either = (signal: AbortSignal | undefined): AbortSignal =>
    signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal]);
  const pushAll = async (signal?: AbortSignal): Promise<PushReport> => {
    const ending = either(signal);
    try {
      return await pushing(() => push(context, ending), ending);
    } catch (error) {
      if (!(error instanceof AgentError && error.code === "ABORTED")) throw error;
      // Another push has taken longer than the caller would wait.
      return { outcomes: [], stopped: error };
    }
  };
  const pullAll = (signal?: AbortSignal): Promise<PullReport> => {
    const ending = either(signal);
    return pulling(() => pull(context, ending), ending);
  };

  const sync = async (signal?: AbortSignal): Promise<SyncReport> => {
    let pushed = await pushAll(signal);
    if (pushed.stopped !== null && !mayPullAfter(pushed.stopped)) throw pushed.stopped;
    let pulled = await pullAll(signal);
    let rebased = 0;
    let unresolved: readonly UnresolvedConflict[] = [];
    for (let round = 0; round < MAX_REBASES && pushed.stopped === null; round++) {
      const again = await resolveConflicts(context, recorder, options.onConflict ?? "manual");
      unresolved = again.unresolved;
      if (again.rebased === 0) break;
      rebased += again.rebased;
      const more = await pushAll(signal);
      pushed = { outcomes: [...pushed.outcomes, ...more.outcomes], stopped: more.stopped };
      const rest = await pullAll(signal);
      pulled = {
        ...rest,
        pulled: pulled.pulled + rest.pulled,
        quarantined: pulled.quarantined + rest.quarantined,
        batches: pulled.batches + rest.batches,
      };
    }
    if (options.acknowledge === true) await acknowledge(context, either(signal));
    return { push: pushed, pull: pulled, rebased, unresolved };
  };

  return {
    identity,
    record: async (event) => open(() => recorder.record(draftOf(event, identity, context.encryption.own), null)),
    push: async ({ signal } = {}) => open(() => pushAll(signal)),
    pull: async ({ signal } = {}) => open(() => pullAll(signal)),
    sync: async ({ signal } = {}) => open(() => sync(signal)),
    waitFor: async (target, wait = {}) =>
      open(() => waitForEvent(context, target, { ...wait, signal: either(wait.signal) }, pullAll)),
    watch: (watch = {}) =>
      open(() => {
        checkWatchOptions(watch);
        return watchLog(context, watch, either(watch.signal), () => pullAll(watch.signal));
      }),
    history: async (entityType, entityId) => open(() => historyOf(context, { entityType, entityId })),
    outcome: (eventId) => open(() => outcomeOf(context, eventId)),
    conflicts: () => open(() => conflicts(context)),
    resolve: async (eventId, resolution) => open(() => resolveConflict(context, recorder, eventId, resolution)),
    proof: async (eventId, { timeoutMs = 0, signal } = {}) =>
      open(() => gatherEvidence(context, eventId, timeoutMs, either(signal))),
    verify: async (evidence, { anchor } = {}) => open(() => verifyHeld(context, evidence, anchor)),
    registerEncryptionKey: async ({ signal, ...registration } = {}) =>
      open(() => registerEncryptionKey(context, registration, either(signal))),
    findRecipient: async (agentId, { signingKeys, signal } = {}) =>
      open(() => findEncryptionKey(context, agentId, signingKeys, either(signal))),
    quarantined: () => open(() => quarantinedEvents(context)),
    status: () => open(() => statusOf(context)),
    prune: (olderThanMs, { withRejected = false } = {}) =>
      open(() =>
        transaction(context, (tables) => tables.prune({ ackedBefore: Date.now() - olderThanMs, withRejected })),
      ),
    close: async () => {
      if (closing.signal.aborted) return;
      closing.abort(new AgentError("CLOSED", "The agent was closed"));
      await recorder.settled();
      await Promise.all([pushing(async () => undefined), pulling(async () => undefined)]);
      context.store.close();
    },
  };
}

/** What keeps an agent from writing need not keep it from reading. */
function mayPullAfter({ code }: AgentError): boolean {
  return code === "STREAM_FROZEN" || code === "BUSY" || code === "FORBIDDEN";
}

async function acknowledge(context: Context, signal: AbortSignal): Promise<void> {
  const { tenantId, storeId, agentId } = context.identity;
  const body = JSON.stringify({ tenantId, storeId, sequenceNumber: pulledSequence(context) });
  await context.api.send("PUT", `/api/v1/ves/cursors/${agentId}`, body, z.looseObject({}), { signal });
}

async function historyOf(context: Context, entity: EntityRef): Promise<History> {
  const { version, pulled, outbox } = transaction(context, (tables) => ({
    version: tables.entityVersion(entity),
    pulled: tables.pulled({ entity }),
    outbox: tables.outbox({ entity }),
  }));
  const known = new Set(pulled.map(({ eventId }) => eventId));
  const { keyring } = context.encryption;
  const verified = pulled.filter(({ quarantine }) => quarantine === null);
  const unsequenced = outbox.filter(({ eventId }) => !known.has(eventId));
  return {
    ...entity,
    version,
    events: await Promise.all(verified.map((row) => logEvent(row, keyring))),
    unsequenced: await Promise.all(unsequenced.map((row) => unsequencedEvent(row, keyring))),
  };
}

function quarantinedEvents(context: Context): QuarantinedEvent[] {
  return transaction(context, (tables) => tables.pulled({ isQuarantined: true })).map(quarantinedEvent);
}

function outcomeOf(context: Context, eventId: string): Outcome | undefined {
  const [row] = transaction(context, (tables) => tables.outbox({ eventId }));
  return row === undefined ? undefined : outcomeOfRow(row);
}

function outcomeOfRow(row: OutboxRow): Outcome {
  const { eventId, state } = row;
  if (state === "accepted") {
    const receipt = JSON.parse(row.receipt ?? "null");
    return { kind: "accepted", eventId, sequenceNumber: row.remoteSequence ?? 0, receipt };
  }
  if (state === "pending") {
    const message = row.pushedAt === null ? "Was not sent yet" : "Was sent, and no answer has come";
    return { kind: "unknown", eventId, message };
  }
  const reason = row.reason ?? state;
  const advice = state === "conflict" ? "resolve" : state === "rejected" ? adviceFor(reason) : "nothing";
  return { kind: "rejected", eventId, reason, message: row.message ?? "", advice };
}
