import { setTimeout as sleep } from "node:timers/promises";
import {
  ApiError,
  type IngestAnswer,
  push,
  registerKey,
  type Server,
  withoutProof,
} from "../../../scripts/lib/client.ts";
import { newSigner, type Signer, signEvent } from "../../../scripts/lib/signer.ts";
import type { StreamRef } from "../../../src/stream-ref.ts";
import type { WireEnvelope } from "../../../src/ves/index.ts";
import type { Acknowledged, AgentKeys } from "./derive-log.ts";
import type { Random } from "./random.ts";

/** What must become of an event, however often its request is repeated and whatever is killed in between. */
type Verdict = "sequenced" | "version_conflict" | "duplicate_command_id";

interface PlannedEvent {
  readonly wire: WireEnvelope;
  readonly verdict: Verdict;
}

/** One request, to be repeated until it is answered. */
export interface PlannedRequest {
  readonly agentId: string;
  readonly events: readonly PlannedEvent[];
}

/** An agent that pushes. It alone writes to its own entities, so it knows their versions; the shared ones it does not. */
export interface Pusher {
  readonly signer: Signer;
  readonly random: Random;
  readonly versions: Map<string, number>;
  readonly commands: string[];
}

/** Everything that the server has answered. */
export interface Ledger {
  readonly acknowledged: Map<string, Acknowledged>;
  readonly rejected: Set<string>;
}

const OWN_ENTITIES = 3;
const SHARED_ENTITIES = 3;
const MAX_BATCH = 50;

export async function newPusher(server: Server, stream: StreamRef, random: Random): Promise<Pusher> {
  const signer = await newSigner(stream.tenantId, stream.storeId);
  await registerKey(server, signer);
  return { signer, random, versions: new Map(), commands: [] };
}

export function keysOf(pushers: readonly Pusher[]): AgentKeys {
  return new Map(
    pushers.map(({ signer }) => [`${signer.agentId}/${signer.keyId}`, Uint8Array.from(signer.key.publicKey)]),
  );
}

/** A request of 1 to 50 events: to own entities with their version, to shared ones without, with and without commands. */
export async function planRequest(pusher: Pusher): Promise<PlannedRequest> {
  const events: PlannedEvent[] = [];
  for (let left = 1 + pusher.random.below(MAX_BATCH); left > 0; left--) events.push(await planEvent(pusher));
  return { agentId: pusher.signer.agentId, events };
}

/** A request of `count` events to one shared entity, to make its history long. */
export async function planLongHistory({ signer }: Pusher, count: number): Promise<PlannedRequest> {
  const events: PlannedEvent[] = [];
  for (let n = 0; n < count; n++) {
    const fact = { entityType: "shared", entityId: "0", eventType: "shared.touched", payload: { n } };
    events.push({ wire: await signEvent(signer, fact), verdict: "sequenced" });
  }
  return { agentId: signer.agentId, events };
}

async function planEvent({ signer, random, versions, commands }: Pusher): Promise<PlannedEvent> {
  const fact = { eventType: "thing.changed", payload: { text: "x".repeat(random.below(200)), n: random.below(1_000) } };
  const sign = async (verdict: Verdict, more: Parameters<typeof signEvent>[1]): Promise<PlannedEvent> => ({
    wire: await signEvent(signer, more),
    verdict,
  });

  const used = commands[random.below(commands.length)];
  if (used !== undefined && random.chance(0.05)) {
    const shared = { ...fact, entityType: "shared", entityId: String(random.below(SHARED_ENTITIES)) };
    return sign("duplicate_command_id", { ...shared, commandId: used });
  }
  const commandId = random.chance(0.2) ? crypto.randomUUID() : undefined;
  const withCommand = commandId === undefined ? {} : { commandId };
  if (random.chance(0.5)) {
    if (commandId !== undefined) commands.push(commandId);
    const entityId = String(random.below(SHARED_ENTITIES));
    return sign("sequenced", { ...fact, ...withCommand, entityType: "shared", entityId });
  }
  const entityId = `${signer.agentId} ${random.below(OWN_ENTITIES)}`;
  const version = versions.get(entityId) ?? 0;
  if (random.chance(0.05)) {
    return sign("version_conflict", { ...fact, entityType: "own", entityId, baseVersion: version + 1_000_000 });
  }
  if (commandId !== undefined) commands.push(commandId);
  versions.set(entityId, version + 1);
  return sign("sequenced", { ...fact, ...withCommand, entityType: "own", entityId, baseVersion: version });
}

/**
 * Pushes request after request until the server is gone.
 *
 * @returns the request that got no answer
 * @throws Error when a request fails although the server was not killed, or is answered wrongly
 */
export async function pushUntilKilled(
  server: Server,
  pusher: Pusher,
  ledger: Ledger,
  isKilled: () => boolean,
): Promise<PlannedRequest> {
  for (;;) {
    const request = await planRequest(pusher);
    let answer: IngestAnswer;
    try {
      answer = await send(server, request);
    } catch (error) {
      if (!isKilled() || error instanceof ApiError) throw error;
      return request;
    }
    record(ledger, request, answer);
  }
}

/**
 * Pushes one request after the other, a moment apart, until `isOver`. The server is not killed meanwhile, so every request
 * must be answered as planned.
 */
export async function pushUntil(
  isOver: () => boolean,
  server: Server,
  pusher: Pusher,
  ledger: Ledger,
  pauseMs: number,
): Promise<void> {
  while (!isOver()) {
    await settle(server, ledger, await planRequest(pusher));
    await sleep(pauseMs);
  }
}

/** Sends a request, once more if it was sent before, and records its answer. */
export async function settle(server: Server, ledger: Ledger, request: PlannedRequest): Promise<void> {
  record(ledger, request, await send(server, request));
}

/** Repeats these acknowledged events of any agents: each must be answered with the receipt it had. */
export async function repeatAcknowledged(
  server: Server,
  ledger: Ledger,
  acknowledged: readonly Acknowledged[],
): Promise<void> {
  const byAgent = Map.groupBy(acknowledged, ({ event }) => event.source_agent_id);
  await Promise.all(
    Array.from(byAgent, async ([agentId, own]) => {
      for (let from = 0; from < own.length; from += 500) {
        const events = own.slice(from, from + 500).map(({ event }) => ({ wire: event, verdict: "sequenced" as const }));
        await settle(server, ledger, { agentId, events });
      }
    }),
  );
}

function send(server: Server, { agentId, events }: PlannedRequest): Promise<IngestAnswer> {
  return push(
    server,
    agentId,
    events.map(({ wire }) => wire),
  );
}

function record(ledger: Ledger, { events }: PlannedRequest, answer: IngestAnswer): void {
  const receipts = new Map(answer.receipts?.map((receipt) => [receipt.eventId, withoutProof(receipt)]));
  const reasons = new Map(answer.rejections?.map(({ event_id, reason }) => [event_id, reason]));
  for (const { wire, verdict } of events) {
    const receipt = receipts.get(wire.event_id);
    const reason = reasons.get(wire.event_id);
    const got = receipt === undefined ? reason?.split(":")[0] : "sequenced";
    if (got !== verdict || (receipt !== undefined && reason !== undefined)) {
      throw new Error(`event ${wire.event_id} must be ${verdict}, was answered ${JSON.stringify({ receipt, reason })}`);
    }
    if (receipt === undefined) {
      ledger.rejected.add(wire.event_id);
      continue;
    }
    const before = ledger.acknowledged.get(wire.event_id);
    if (before !== undefined && JSON.stringify(before.receipt) !== JSON.stringify(receipt)) {
      throw new Error(`the receipt of ${wire.event_id} has changed: ${JSON.stringify([before.receipt, receipt])}`);
    }
    ledger.acknowledged.set(wire.event_id, { event: wire, receipt });
  }
}
