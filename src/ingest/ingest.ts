import type { Config } from "../config.ts";
import { frozen, RequestError, unavailable } from "../errors.ts";
import { currentWork } from "../observe/current-work.ts";
import { log } from "../observe/log.ts";
import { currentTrace, inSpan } from "../observe/spans.ts";
import type { AppendResult, CheckedEvent, EventOutcome } from "../stream/messages.ts";
import { locationHint, streamStub } from "../stream/stream-client.ts";
import { ensureStore } from "../tenant/agent-directory.ts";
import type { CheckSnapshot } from "../tenant/messages.ts";
import { cachedBasis, type CheckBasis, loadBasis } from "./check-basis.ts";
import { checkEvent } from "./check-event.ts";
import { countIngested, countReceived } from "./count-events.ts";
import { eventTypesToCheck, SchemaGate, type SchemaWarning } from "./schema-gate.ts";
import { storableEvents } from "./storable-events.ts";
import type { Submission } from "./submission.ts";

/** What became of a submission: the stream's head after it, and each event as checked with its outcome. */
export interface Ingested {
  readonly head: number;
  readonly events: readonly { readonly event: CheckedEvent; readonly outcome: EventOutcome }[];
}

/** The registry may change while a request is verified. It changing this often in a row means something is wrong. */
const MAX_ATTEMPTS = 5;

/**
 * Verifies a submission and appends what passes. The stream has the last word on whether the keys and schemas it was
 * verified with are still the current ones; if not, they are read again.
 *
 * @throws RequestError SERVICE_UNAVAILABLE when a part cannot be reached; the outcome is then resolved by repeating
 */
export async function ingest(
  submission: Submission,
  env: Env,
  config: Config,
  cf: IncomingRequestCfProperties | undefined,
): Promise<Ingested> {
  const { stream, agentId } = submission;
  const eventTypes = eventTypesToCheck(submission.events, config.schemaMode);
  const subject = { tenantId: stream.tenantId, agentId, eventTypes };
  const check = (on: CheckBasis): Promise<Checked> =>
    inSpan("verify", { "sequencer.events": submission.events.length }, () => checkAll(submission, on, config));
  countReceived(submission.events.length);

  let basis = cachedBasis(subject);
  let { events, warnings } = basis === undefined ? NOTHING_CHECKED : await check(basis);
  // What was registered or allowed a moment ago must count at once, so nobody is refused by an old copy.
  if (basis === undefined || events.some(mayDependOnAge)) {
    basis = await loadBasis(env, subject);
    ({ events, warnings } = await check(basis));
  }
  const payloadKeys = config.payloadKeys(stream.tenantId);
  let storable = await storableEvents(events, stream, payloadKeys);
  const hasSound = events.some(({ rejection }) => rejection === null);
  const isNewStore = hasSound && (await ensureStore(env, stream.tenantId, stream.storeId));

  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const result = await append(env, submission, cf, {
      registryVersion: basis.snapshot.version,
      receiptKeyVersion: config.receiptKeys.current.version,
      events: storable,
      isNewStore,
    });
    if (result.kind === "frozen") throw frozen(result.reason);
    if (result.kind === "unavailable") throw unavailable(UNAVAILABLE[result.cause]);
    if (result.kind === "appended") {
      const outcomes = result.outcomes;
      const ingested = { head: result.head, events: events.flatMap((event, i) => pair(event, outcomes[i])) };
      countIngested(ingested.events, warnings.length);
      logWarnings(warnings, ingested, submission);
      return ingested;
    }
    const reread = await loadBasis(env, subject);
    if (!isSameExceptVersion(basis.snapshot, reread.snapshot)) {
      ({ events, warnings } = await check(reread));
      storable = await storableEvents(events, stream, payloadKeys);
    }
    basis = reread;
  }
  throw unavailable("The tenant's registry changes faster than this request can be verified: repeat it");
}

const UNAVAILABLE = {
  registry: "The tenant's registry cannot be reached: nothing was stored, repeat the request",
  mirror:
    "The stream is empty and Postgres cannot be asked whether it was lost: nothing was stored, repeat the request",
  stream_full: "The stream holds as much as a stream can: nothing was stored",
  queue_full: "The stream has more waiting than it can take: nothing was stored, repeat the request",
} as const;

interface Checked {
  readonly events: readonly CheckedEvent[];
  readonly warnings: readonly SchemaWarning[];
}

const NOTHING_CHECKED: Checked = { events: [], warnings: [] };

async function checkAll({ events }: Submission, basis: CheckBasis, config: Config): Promise<Checked> {
  const schemas = new SchemaGate(config.schemaMode, basis.schemas);
  const context = {
    agent: basis.snapshot,
    schemas,
    requireVersion2: config.requireSignedExecutionControls,
    now: Date.now(),
  };
  const checked: CheckedEvent[] = [];
  // One after the other: verification runs on this isolate's thread, so there is nothing to gain from overlapping it.
  for (const event of events) checked.push(await checkEvent(event, context));
  return { events: checked, warnings: schemas.warnings };
}

/** Whether a newer reading of the registry might decide otherwise about this event. */
function mayDependOnAge({ rejection }: CheckedEvent): boolean {
  return (
    rejection !== null &&
    /^(agent_key_invalid|invalid_signature|policy_violation|schema_validation$)/.test(rejection.reason)
  );
}

function isSameExceptVersion(a: CheckSnapshot, b: CheckSnapshot): boolean {
  const text = ({ keys, policy, schemas }: CheckSnapshot): string =>
    JSON.stringify([
      keys.map((key) => [key.keyId, key.validFrom, key.validTo, key.revokedAt]),
      policy,
      Array.from(schemas.values(), (ref) => ref?.schemaId ?? null),
    ]);
  // A key's bytes never change under its id, nor does what a schema says; the types are in the order of the question.
  return text(a) === text(b);
}

/** Events of a request that the log names of those which were accepted and do not match their schemas. */
const LOGGED_WARNINGS = 5;

/** One line for a request, for programs: how many were accepted so, and what is wrong with the first. */
function logWarnings(warnings: readonly SchemaWarning[], { events }: Ingested, { stream, agentId }: Submission): void {
  if (warnings.length === 0) return;
  const accepted = new Set(
    events.filter(({ outcome }) => outcome.kind === "accepted").map(({ event }) => event.envelope.event_id),
  );
  const told = warnings.filter(({ eventId }) => accepted.has(eventId));
  if (told.length === 0) return;
  log.warn("events do not match their schemas", {
    tenant_id: stream.tenantId,
    store_id: stream.storeId,
    agent_id: agentId,
    events: told.length,
    first: told.slice(0, LOGGED_WARNINGS),
  });
}

async function append(
  env: Env,
  { stream }: Submission,
  cf: IncomingRequestCfProperties | undefined,
  request: Parameters<ReturnType<typeof streamStub>["append"]>[0],
): Promise<AppendResult> {
  try {
    return await inSpan("append", { "sequencer.events": request.events.length }, () =>
      streamStub(env, stream, locationHint(cf)).append({
        ...request,
        work: { requestId: currentWork()?.requestId, trace: currentTrace() },
      }),
    );
  } catch (error) {
    // The object may have stored the events before it was lost. Repeating tells: what was stored answers as a replay.
    log.error("append did not answer", {
      tenant_id: stream.tenantId,
      store_id: stream.storeId,
      error: String(error),
    });
    throw unavailable("The stream did not answer and may or may not have stored the events: repeat the same request");
  }
}

function pair(
  event: CheckedEvent,
  outcome: EventOutcome | undefined,
): [{ event: CheckedEvent; outcome: EventOutcome }] {
  if (outcome === undefined) throw new RequestError("INTERNAL_ERROR", "the stream answered for fewer events");
  return [{ event, outcome }];
}
