import type { Config } from "../config.ts";
import { frozen, RequestError, unavailable } from "../errors.ts";
import type { AppendResult, CheckedEvent, EventOutcome } from "../stream/messages.ts";
import { locationHint, streamStub } from "../stream/stream-client.ts";
import { cachedAgent, ensureStore, loadAgent } from "../tenant/agent-directory.ts";
import type { AgentSnapshot } from "../tenant/messages.ts";
import { checkEvent } from "./check-event.ts";
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
 * Verifies a submission and appends what passes. The stream has the last word on whether the keys it was verified with
 * are still the current ones; if not, they are read again.
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
  const check = (agent: AgentSnapshot): Promise<CheckedEvent[]> => checkAll(submission, agent, config);

  let agent = cachedAgent(stream.tenantId, agentId);
  let events: CheckedEvent[] = [];
  if (agent !== undefined) events = await check(agent);
  // What was registered or allowed a moment ago must count at once, so nobody is refused by an old copy.
  if (agent === undefined || events.some(mayDependOnAge)) {
    agent = await loadAgent(env, stream.tenantId, agentId);
    events = await check(agent);
  }
  const payloadKeys = config.payloadKeys(stream.tenantId);
  let storable = await storableEvents(events, stream, payloadKeys);
  const hasSound = events.some(({ rejection }) => rejection === null);
  const isNewStore = hasSound && (await ensureStore(env, stream.tenantId, stream.storeId));

  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const result = await append(env, submission, cf, {
      registryVersion: agent.version,
      receiptKeyVersion: config.receiptKeys.current.version,
      events: storable,
      isNewStore,
    });
    if (result.kind === "frozen") throw frozen(result.reason);
    if (result.kind === "unavailable") throw unavailable(UNAVAILABLE[result.cause]);
    if (result.kind === "appended") {
      const outcomes = result.outcomes;
      return { head: result.head, events: events.flatMap((event, i) => pair(event, outcomes[i])) };
    }
    const reread = await loadAgent(env, stream.tenantId, agentId);
    if (!isSameExceptVersion(agent, reread)) {
      events = await check(reread);
      storable = await storableEvents(events, stream, payloadKeys);
    }
    agent = reread;
  }
  throw unavailable("The tenant's keys change faster than this request can be verified: repeat it");
}

const UNAVAILABLE = {
  registry: "The tenant's registry cannot be reached: nothing was stored, repeat the request",
  mirror:
    "The stream is empty and Postgres cannot be asked whether it was lost: nothing was stored, repeat the request",
  stream_full: "The stream holds as much as a stream can: nothing was stored",
  queue_full: "The stream has more waiting than it can take: nothing was stored, repeat the request",
} as const;

async function checkAll({ events }: Submission, agent: AgentSnapshot, config: Config): Promise<CheckedEvent[]> {
  const context = { agent, requireVersion2: config.requireSignedExecutionControls, now: Date.now() };
  const checked: CheckedEvent[] = [];
  // One after the other: verification runs on this isolate's thread, so there is nothing to gain from overlapping it.
  for (const event of events) checked.push(await checkEvent(event, context));
  return checked;
}

/** Whether a newer reading of the registry might decide otherwise about this event. */
function mayDependOnAge({ rejection }: CheckedEvent): boolean {
  return rejection !== null && /^(agent_key_invalid|invalid_signature|policy_violation)/.test(rejection.reason);
}

function isSameExceptVersion(a: AgentSnapshot, b: AgentSnapshot): boolean {
  const text = ({ keys, policy }: AgentSnapshot): string =>
    JSON.stringify([keys.map((key) => [key.keyId, key.validFrom, key.validTo, key.revokedAt]), policy]);
  // A key's bytes never change under its id.
  return text(a) === text(b);
}

async function append(
  env: Env,
  { stream }: Submission,
  cf: IncomingRequestCfProperties | undefined,
  request: Parameters<ReturnType<typeof streamStub>["append"]>[0],
): Promise<AppendResult> {
  try {
    return await streamStub(env, stream, locationHint(cf)).append(request);
  } catch (error) {
    // The object may have stored the events before it was lost. Repeating tells: what was stored answers as a replay.
    console.error("append did not answer", error);
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
