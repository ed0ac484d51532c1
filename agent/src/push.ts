import type { z } from "zod";
import { ingestAnswer } from "./answers.ts";
import { checkReceipt } from "./check-receipt.ts";
import { type Context, transaction } from "./context.ts";
import { following } from "./conflict-marks.ts";
import { AgentError } from "./errors.ts";
import { withPushLease } from "./lease.ts";
import { adviceFor, type Outcome, type PushReport } from "./outcomes.ts";
import { placeProblem, verifiedPlace } from "./place-problem.ts";
import { LATE_RECEIPT_CONTRADICTION, PULLED_SEQUENCE, PUSHED_SEQUENCE } from "./state-keys.ts";
import type { OutboxRow, StreamTables } from "./store/store.ts";

type IngestAnswer = z.output<typeof ingestAnswer>;

/** A verified answer about one event. */
type Verdict = Exclude<Outcome, { readonly kind: "unknown" }>;

/**
 * Sends what is in the outbox, oldest first and one request after another: nothing is sent while anything before it is without
 * an answer, so the log holds the agent's events in the order of recording, whatever is lost or comes twice on the way. A receipt
 * that is not what the log says that was pulled before it came ends the push: LOG_CONTRADICTION stays written down in the status.
 *
 * @throws what the store throws
 */
export async function push(context: Context, signal: AbortSignal | undefined): Promise<PushReport> {
  const outcomes: Outcome[] = [];
  try {
    const done = await withPushLease(context, async () => {
      for (let rows = nextRows(context); rows.length > 0; rows = nextRows(context)) {
        outcomes.push(...(await pushRows(context, rows, signal)));
      }
      return true;
    });
    if (done !== undefined) return { outcomes, stopped: null };
    return { outcomes, stopped: new AgentError("BUSY", "Another process is pushing this outbox") };
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    return { outcomes: [...outcomes, ...error.outcomes], stopped: error.reason };
  }
}

/** What ended a push, with what became of the events that it had sent last. */
class Interrupted extends Error {
  readonly reason: AgentError;
  readonly outcomes: readonly Outcome[];

  constructor(reason: AgentError, outcomes: readonly Outcome[]) {
    super(reason.message);
    this.reason = reason;
    this.outcomes = outcomes;
  }
}

/** The next events to be sent together, marked as sent. */
function nextRows(context: Context): OutboxRow[] {
  return transaction(context, (tables) => {
    const pending = tables.outbox({
      agentId: context.identity.agentId,
      state: "pending",
      limit: context.batchEvents,
    });
    const rows = pending.slice(0, sendableTogether(pending, context.batchCharacters));
    const now = Date.now();
    for (const { id, pushedAt } of rows) if (pushedAt === null) tables.update(id, { pushedAt: now });
    return rows;
  });
}

/**
 * How many of these may go in one request. Two events of one entity that both expect a version may not: were the first refused
 * because another agent's event came in between, the second would find the version that it expects, and pass without the first.
 */
export function sendableTogether(rows: readonly OutboxRow[], maxCharacters: number): number {
  const expecting = new Set<string>();
  let characters = 0;
  for (const [index, { entityType, entityId, baseVersion, envelope }] of rows.entries()) {
    characters += envelope.length + 1;
    const entity = JSON.stringify([entityType, entityId]);
    const isChained = baseVersion !== null && expecting.has(entity);
    if (index > 0 && (isChained || characters > maxCharacters)) return index;
    if (baseVersion !== null) expecting.add(entity);
  }
  return rows.length;
}

/** @throws Interrupted */
async function pushRows(
  context: Context,
  rows: readonly OutboxRow[],
  signal: AbortSignal | undefined,
): Promise<readonly Outcome[]> {
  try {
    const body = `{"agentId":"${context.identity.agentId}","events":[${rows.map(({ envelope }) => envelope).join(",")}]}`;
    const answer = await context.api.send("POST", "/api/v1/ves/events/ingest", body, ingestAnswer, { signal });
    const verdicts = await verdictsOf(context, rows, answer, signal);
    const { outcomes, problem } = transaction(context, (tables) => settle(tables, verdicts));
    if (problem !== undefined) throw new Interrupted(new AgentError("LOG_CONTRADICTION", problem), outcomes);
    return outcomes;
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    if (isAgainstBody(error)) return pushApart(context, rows, error, signal);
    throw new Interrupted(error, unknown(rows, error));
  }
}

function unknown(rows: readonly OutboxRow[], { message }: AgentError): Outcome[] {
  return rows.map(({ eventId }) => ({ kind: "unknown", eventId, message }));
}

const BODY_STATUSES = new Set([400, 413, 422]);
const BODY_CODES = new Set([
  "INVALID_FIELD_VALUE",
  "MALFORMED_JSON",
  "MISSING_REQUIRED_FIELD",
  "PAYLOAD_TOO_LARGE",
  "SIGNATURE_REQUIRED",
  "UNPROCESSABLE",
]);

/** Whether the sequencer itself refuses what the request says, and not how it came or that it came. */
function isAgainstBody({ code, server }: AgentError): boolean {
  return code === "REFUSED" && server !== undefined && BODY_STATUSES.has(server.status) && BODY_CODES.has(server.code);
}

/** A request's body was refused as a whole: halves of it are sent, until those events stand alone that nobody will take. */
async function pushApart(
  context: Context,
  rows: readonly OutboxRow[],
  error: AgentError,
  signal: AbortSignal | undefined,
): Promise<readonly Outcome[]> {
  const [only, ...others] = rows;
  if (only !== undefined && others.length === 0) {
    const reason = `request_refused: ${error.server?.code ?? error.code}`;
    const verdict = rejected(only.eventId, reason, error.server?.message ?? error.message);
    const { outcomes, problem } = transaction(context, (tables) => settle(tables, [verdict]));
    if (problem !== undefined) throw new Interrupted(new AgentError("LOG_CONTRADICTION", problem), outcomes);
    return outcomes;
  }
  const middle = Math.ceil(rows.length / 2);
  const outcomes: Outcome[] = [];
  for (const half of [rows.slice(0, middle), rows.slice(middle)]) {
    try {
      outcomes.push(...(await pushRows(context, half, signal)));
    } catch (stop) {
      if (!(stop instanceof Interrupted)) throw stop;
      outcomes.push(...stop.outcomes);
      // Those behind were sent as well, with the request that was refused as a whole.
      throw new Interrupted(stop.reason, [...outcomes, ...unknown(rows.slice(outcomes.length), stop.reason)]);
    }
  }
  return outcomes;
}

/** @throws AgentError MALFORMED_ANSWER, INVALID_RECEIPT, or what reading the sequencer's keys throws */
async function verdictsOf(
  context: Context,
  rows: readonly OutboxRow[],
  answer: IngestAnswer,
  signal: AbortSignal | undefined,
): Promise<Verdict[]> {
  const receipts = new Map((answer.receipts ?? []).map((receipt) => [receipt.eventId, receipt]));
  const rejections = new Map((answer.rejections ?? []).map((rejection) => [rejection.event_id, rejection]));
  const verdicts = rows.map(async (row): Promise<Verdict> => {
    const { eventId } = row;
    const receipt = receipts.get(eventId);
    if (receipt !== undefined) {
      await checkReceipt(context, row, receipt, signal);
      const { sequenceNumber } = receipt;
      const isNew = sequenceNumber >= (answer.sequenceStart ?? Infinity) && sequenceNumber <= (answer.sequenceEnd ?? 0);
      return { kind: isNew ? "accepted" : "replayed", eventId, sequenceNumber, receipt };
    }
    const rejection = rejections.get(eventId);
    if (rejection !== undefined) return rejected(eventId, rejection.reason, rejection.message);
    throw new AgentError("MALFORMED_ANSWER", `The answer says nothing of event ${eventId}`);
  });
  return Promise.all(verdicts);
}

function rejected(eventId: string, reason: string, message: string): Verdict {
  return { kind: "rejected", eventId, reason, message, advice: adviceFor(reason) };
}

/**
 * Writes down what became of the rows, and holds it against the copy of the log: where the log was pulled before the answer came,
 * nobody looks at them together later. Numbers that were not pulled yet are held against the log when it is.
 *
 * @returns the outcomes, and how they contradict the log, in a sentence
 */
function settle(
  tables: StreamTables,
  verdicts: readonly Verdict[],
): { readonly outcomes: readonly Outcome[]; readonly problem: string | undefined } {
  const pulled = Number(tables.state(PULLED_SEQUENCE) ?? 0);
  const inLog = new Set(tables.pulledAmong(verdicts.map(({ eventId }) => eventId)));
  const outcomes: Outcome[] = [];
  let pushed = Number(tables.state(PUSHED_SEQUENCE) ?? 0);
  let problem: string | undefined;
  for (const verdict of verdicts) {
    const { eventId } = verdict;
    const place = inLog.has(eventId) ? verifiedPlace(tables, eventId) : undefined;
    if (verdict.kind === "rejected" && place !== undefined) {
      // It stays as it is, and is sent again for its receipt.
      const message = `The sequencer rejects event ${eventId}, which the log that was pulled has at ${place}`;
      outcomes.push({ kind: "unknown", eventId, message });
      problem ??= message;
      continue;
    }
    settleOne(tables, verdict);
    outcomes.push(verdict);
    if (verdict.kind === "rejected") continue;
    pushed = Math.max(pushed, verdict.sequenceNumber);
    if (verdict.sequenceNumber > pulled && place === undefined) continue;
    const found = placeProblem(tables, eventId, verdict.sequenceNumber);
    if (found === undefined) continue;
    tables.setState(LATE_RECEIPT_CONTRADICTION, found);
    problem ??= found;
  }
  tables.setState(PUSHED_SEQUENCE, String(pushed));
  return { outcomes, problem };
}

/** What was accepted stays so, whoever else pushed it and heard otherwise. */
function settleOne(tables: StreamTables, verdict: Verdict): void {
  const ackedAt = Date.now();
  const [row] = tables.outbox({ eventId: verdict.eventId });
  if (row === undefined || row.state === "accepted") return;
  if (verdict.kind !== "rejected") {
    const { sequenceNumber: remoteSequence } = verdict;
    const receipt = JSON.stringify(verdict.receipt);
    tables.update(row.id, { state: "accepted", reason: null, message: null, ackedAt, remoteSequence, receipt });
  } else if (row.state === "pending") {
    const { reason, message, advice } = verdict;
    tables.update(row.id, { state: advice === "resolve" ? "conflict" : "rejected", reason, message, ackedAt });
    if (advice === "resolve") holdBack(tables, row);
  }
}

/** Later events that expect a version of the same entity counted on the one that was refused: they are in conflict with it. */
function holdBack(tables: StreamTables, refused: OutboxRow): void {
  const { entityType, entityId, agentId } = refused;
  for (const row of tables.outbox({ entity: { entityType, entityId }, agentId, state: "pending" })) {
    if (row.id <= refused.id || row.baseVersion === null || row.pushedAt !== null) continue;
    tables.update(row.id, following(refused));
  }
}
