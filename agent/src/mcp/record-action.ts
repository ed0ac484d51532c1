import { envelopeSchema, type Receipt, VesError } from "../../../src/ves/index.ts";
import { CONCURRENT, FOLLOWS } from "../conflict-marks.ts";
import { type Context, transaction } from "../context.ts";
import { type AgentEvent, draftOf, signDraft } from "../draft.ts";
import { aborted, AgentError } from "../errors.ts";
import { adviceFor, type Outcome } from "../outcomes.ts";
import { pause } from "../retry.ts";
import type { OutboxRow } from "../store/store.ts";
import { type Action, actionEventId } from "./action.ts";
import { receiptInLog } from "./recorded-action.ts";
import { ToolError } from "./tool-error.ts";
import type { Toolkit } from "./toolkit.ts";

/** An action that is in the log. */
export interface RecordedAction {
  readonly receipt: Receipt;
  /** Whether it was there before. */
  readonly isReplay: boolean;
}

/** For so long an outbox in memory keeps what became of an action; the log has what was accepted. */
const KEPT_MS = 600_000;

/** Between two looks at an outbox that another process is pushing. */
const BUSY_PAUSE_MS = 50;

/**
 * Records an action, and returns when its receipt has verified. The same action again answers the same receipt, also from
 * another process: what is not in the outbox is looked for in the log first. When the signal says so before anything was sent,
 * nothing will be.
 *
 * @throws ToolError VERSION_CONFLICT, COMMAND_USED, REJECTED; OUTCOME_UNKNOWN, which leaves the event in the outbox, to be sent
 *   with the next one; AgentError, which does not
 */
export async function recordAction(kit: Toolkit, action: Action, signal: AbortSignal): Promise<RecordedAction> {
  const { agent, context } = kit;
  const eventId = eventIdOf(kit, action);
  const known = agent.outcome(eventId);
  if (known?.kind === "accepted") return { receipt: known.receipt, isReplay: true };
  const earlier = await receiptInLog(context, eventId, signal);
  if (earlier !== undefined) return { receipt: earlier, isReplay: true };

  const stopped = await submit(kit, eventId, action, signal);
  const outcome = agent.outcome(eventId);
  if (kit.isInMemory) forgetSettled(context);
  if (outcome?.kind === "accepted" || outcome?.kind === "replayed") {
    return { receipt: outcome.receipt, isReplay: false };
  }
  if (outcome?.kind === "rejected") return replayOrRefuse(kit, outcome, signal);
  if (stopped === null || stopped.code === "UNREACHABLE" || stopped.code === "ABORTED") {
    throw new ToolError("OUTCOME_UNKNOWN", `Event ${eventId} is signed and was sent, and no answer has come`);
  }
  // It was told that this failed, so the event must not be sent by somebody later. What the log has by now is found in it.
  dropUnless(context, eventId, () => false);
  throw stopped;
}

/**
 * Signs the action and pushes it until the sequencer has judged it as the agent says it now. The outbox holds an event back when
 * another one of its entity is refused or pulled; but an action says itself which version it was decided on, and waits for no other
 * one. And what was refused under a former key is worth another try under the present one.
 *
 * @returns why not all was sent
 * @throws AgentError ABORTED, when nothing was sent
 */
async function submit(kit: Toolkit, eventId: string, action: Action, signal: AbortSignal): Promise<AgentError | null> {
  for (;;) {
    await sign(kit, eventId, action);
    const stopped = await pushUnlessAborted(kit, eventId, signal);
    const row = rowOf(kit.context, eventId);
    if (signal.aborted || row === undefined || !(isHeldBack(row) || isRefusedUnderFormerKey(kit, row))) return stopped;
  }
}

function rowOf(context: Context, eventId: string): OutboxRow | undefined {
  return transaction(context, (tables) => tables.outbox({ eventId })[0]);
}

function isHeldBack({ reason }: OutboxRow): boolean {
  return reason === FOLLOWS || reason === CONCURRENT;
}

function isRefusedUnderFormerKey({ context }: Toolkit, { state, envelope }: OutboxRow): boolean {
  return state === "rejected" && envelopeSchema.parse(JSON.parse(envelope)).agent_key_id !== context.identity.keyId;
}

/** Pushes, or takes the event back when the signal says so before it was sent. @returns as {@link submit} */
async function pushUnlessAborted(kit: Toolkit, eventId: string, signal: AbortSignal): Promise<AgentError | null> {
  let isWithdrawn = false;
  const withdraw = (): void =>
    void (isWithdrawn = dropUnless(kit.context, eventId, ({ pushedAt }) => pushedAt !== null));
  signal.addEventListener("abort", withdraw, { once: true });
  if (signal.aborted) withdraw();
  const stopped = await pushUntilSent(kit, eventId, signal);
  signal.removeEventListener("abort", withdraw);
  if (isWithdrawn) throw aborted(signal);
  return stopped;
}

/** Pushes, after another process that pushes this outbox; again where another call has put the event back meanwhile. */
async function pushUntilSent({ agent }: Toolkit, eventId: string, signal: AbortSignal): Promise<AgentError | null> {
  for (;;) {
    const { stopped } = await agent.push({ signal });
    const isWaiting = agent.outcome(eventId)?.kind === "unknown" && !signal.aborted;
    if (!isWaiting || (stopped !== null && stopped.code !== "BUSY")) return stopped;
    await pause(BUSY_PAUSE_MS);
  }
}

/** @throws AgentError INVALID_EVENT */
function eventIdOf({ context }: Toolkit, action: Action): string {
  try {
    return actionEventId(context.identity, action);
  } catch (error) {
    if (error instanceof VesError) throw new AgentError("INVALID_EVENT", `payload: ${error.message}`);
    throw error;
  }
}

/** Puts the action into the outbox, or once more if it was refused before: what it broke may hold by now. */
async function sign({ agent, context }: Toolkit, eventId: string, action: Action): Promise<void> {
  const { baseVersion, ...contents } = action;
  const event = { ...contents, eventId, ...(baseVersion === undefined ? {} : { baseVersion }) };
  try {
    await agent.record(event);
  } catch (error) {
    if (!(error instanceof AgentError && error.code === "EVENT_EXISTS")) throw error;
    const earlier = rowOf(context, eventId);
    const signed = earlier?.state === "rejected" ? await signAnew(context, event, earlier.createdAt) : {};
    transaction(context, (tables) => {
      const [row] = tables.outbox({ eventId });
      if (row === undefined || row.state === "accepted" || row.state === "pending") return;
      tables.update(row.id, {
        ...signed,
        state: "pending",
        reason: null,
        message: null,
        pushedAt: null,
        ackedAt: null,
      });
    });
  }
}

/**
 * The event as the agent's present key signs it. Only for one that the sequencer has refused: any other may be in the log already,
 * under the signature that it was sent with. Should a copy of that one come late, the sequencer refuses this one for its id.
 */
async function signAnew(
  { identity, encryption, vesVersion, key }: Context,
  event: AgentEvent & { readonly baseVersion?: number },
  createdAt: string,
): Promise<Pick<OutboxRow, "signingHash" | "envelope">> {
  const draft = draftOf({ ...event, createdAt }, identity, encryption.own);
  const { signingHash, envelope } = await signDraft(draft, event.baseVersion, vesVersion, key);
  return { signingHash, envelope };
}

/** Another process of this agent may have recorded the very same action in this moment. */
async function replayOrRefuse(
  { agent, context, isInMemory }: Toolkit,
  { eventId, reason, message, advice }: Extract<Outcome, { readonly kind: "rejected" }>,
  signal: AbortSignal,
): Promise<RecordedAction> {
  // The caller hears that it was refused, so nobody may rebase it later; and nothing else clears an outbox in memory.
  if (advice === "resolve") await agent.resolve(eventId, "drop");
  else if (isInMemory) forget(context, eventId);
  const earlier = await receiptInLog(context, eventId, signal);
  if (earlier !== undefined) return { receipt: earlier, isReplay: true };
  // By the reason: where the same call was made twice at once, the other one may have ended the conflict, and its advice with it.
  if (adviceFor(reason) === "resolve") throw new ToolError("VERSION_CONFLICT", message);
  if (reason === "duplicate_command_id") throw new ToolError("COMMAND_USED", message);
  throw new ToolError("REJECTED", `${reason}: ${message}`);
}

/** Takes a pending event back, so that nobody sends it. @returns whether it did */
function dropUnless(context: Context, eventId: string, isKept: (row: OutboxRow) => boolean): boolean {
  return transaction(context, (tables) => {
    const [row] = tables.outbox({ eventId });
    if (row === undefined || row.state !== "pending" || isKept(row)) return false;
    tables.update(row.id, { state: "dropped", ackedAt: Date.now() });
    return true;
  });
}

/**
 * Removes what was settled a while ago. Unlike {@link Agent.prune} it does not wait until the event was pulled: nothing is pulled
 * here, and the same action again is found in the log.
 */
function forgetSettled(context: Context): void {
  transaction(context, (tables) => tables.prune({ ackedBefore: Date.now() - KEPT_MS, withUnpulled: true }));
}

/** Lets an event that was rejected be pruned. */
function forget(context: Context, eventId: string): void {
  transaction(context, (tables) => {
    const [row] = tables.outbox({ eventId });
    if (row?.state === "rejected") tables.update(row.id, { state: "dropped", ackedAt: Date.now() });
  });
}
