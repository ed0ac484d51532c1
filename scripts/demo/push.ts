import type { Receipt } from "../../src/ves/index.ts";
import { type IngestAnswer, push, withoutProof } from "../lib/client.ts";
import type { Agent, Agents } from "./agents.ts";
import type { AgentName } from "./happening.ts";
import type { Outgoing } from "./outbox.ts";

/** One event that was refused, as it should be. */
export interface Rejection {
  readonly agent: AgentName;
  readonly attempt: string;
  readonly reason: string;
  readonly message: string;
}

/** A request whose answer was lost and that was repeated. */
export interface Replay {
  readonly agent: AgentName;
  readonly vesVersion: number;
  readonly events: number;
  /** What the second answer gave as `eventsAccepted`. */
  readonly countedAsAccepted: number;
}

/** What came of a day of pushing. */
export interface Pushed {
  readonly requests: number;
  /** Events that went over the wire, repeated ones each time. */
  readonly sent: number;
  readonly accepted: number;
  readonly late: number;
  readonly rejections: readonly Rejection[];
  readonly replays: readonly Replay[];
  readonly receipts: ReadonlyMap<string, Receipt>;
}

/** Whoever watches the pushing. */
export interface Observer {
  readonly advance: (events: number) => void;
  readonly note: (text: string) => void;
}

const BATCH_SIZE = 100;

/** How often in the day the agents push what they have. */
const ROUNDS = 8;

/** The rounds, from 0, in which an agent has no connection. */
const OFFLINE: Readonly<Partial<Record<AgentName, readonly number[]>>> = { warehouse: [2, 3], support: [4, 5] };

/** The round from which on an agent's connection breaks once, before an answer arrives. */
const LOSES_ANSWER: Readonly<Partial<Record<AgentName, number>>> = { storefront: 1, support: 2 };

type Tally = { -readonly [Member in keyof Pushed]: Pushed[Member] } & {
  readonly rejections: Rejection[];
  readonly replays: Replay[];
  readonly receipts: Map<string, Receipt>;
};

interface Context {
  readonly agents: Agents;
  readonly observer: Observer;
  readonly tally: Tally;
}

/**
 * Pushes the day's events in rounds. What the storefront records, the others act upon, so it pushes first; the warehouse
 * and support then push at the same time.
 *
 * @param outgoing in the order of the day
 * @throws Error when the sequencer decides otherwise about an event than it should
 */
export async function pushDay(outgoing: readonly Outgoing[], agents: Agents, observer: Observer): Promise<Pushed> {
  const tally: Tally = { requests: 0, sent: 0, accepted: 0, late: 0, rejections: [], replays: [], receipts: new Map() };
  const context: Context = { agents, observer, tally };
  const outboxes: Record<AgentName, Outgoing[]> = { storefront: [], warehouse: [], support: [] };
  const perRound = Math.ceil(outgoing.length / ROUNDS);

  for (let round = 0; round < ROUNDS; round++) {
    const happened = outgoing.slice(round * perRound, (round + 1) * perRound);
    for (const item of happened) outboxes[item.agent].push(item);
    const moment = { round, start: happened[0]?.at ?? 0 };
    const flush = (agent: AgentName): Promise<void> => {
      const isOffline = OFFLINE[agent]?.includes(round) ?? false;
      const outbox = isOffline ? [] : outboxes[agent].splice(0);
      return pushOutbox(context, agents[agent], outbox, moment);
    };
    await flush("storefront");
    await Promise.all([flush("warehouse"), flush("support")]);
  }
  return tally;
}

interface Moment {
  readonly round: number;
  /** When it began, in milliseconds since the epoch. */
  readonly start: number;
}

async function pushOutbox(
  context: Context,
  agent: Agent,
  outbox: readonly Outgoing[],
  { round, start }: Moment,
): Promise<void> {
  const { name } = agent;
  const { note, advance } = context.observer;
  const time = new Date(start).toISOString().slice(11, 16);
  const offline = OFFLINE[name] ?? [];
  if (offline[0] === round) note(`${time}  ${name} is offline from now on, and goes on signing`);
  if (offline.at(-1) === round - 1) {
    const late = outbox.filter(({ at, flaw }) => at < start && flaw === undefined).length;
    context.tally.late += late;
    note(`${time}  ${name} is back and pushes ${late} events late, after those of the others`);
  }

  for (let i = 0; i < outbox.length; i += BATCH_SIZE) {
    const batch = outbox.slice(i, i + BATCH_SIZE);
    if (losesAnswer(context.tally, agent, batch, round)) {
      await pushTwice(context, agent, batch);
      note(`${time}  ${name} lost an answer and pushed ${batch.length} events again: the same receipts to the byte`);
    } else {
      settle(context.tally, agent, batch, await send(context.tally, agent, batch));
    }
    advance(batch.length);
  }
}

function losesAnswer({ replays }: Tally, { name }: Agent, batch: readonly Outgoing[], round: number): boolean {
  const isTime = round >= (LOSES_ANSWER[name] ?? ROUNDS) && !replays.some(({ agent }) => agent === name);
  return isTime && batch.every(({ flaw }) => flaw === undefined);
}

/** The connection breaks after the sequencer has done its work: the agent does not know, and repeats the request. */
async function pushTwice({ tally }: Context, agent: Agent, batch: readonly Outgoing[]): Promise<void> {
  const lost = await send(tally, agent, batch);
  const answer = await send(tally, agent, batch);
  // Sealed meanwhile, they come with their proofs.
  if (JSON.stringify(answer.receipts?.map(withoutProof)) !== JSON.stringify(lost.receipts?.map(withoutProof))) {
    throw new Error(`${agent.name} repeated a request and got other receipts than the first time.`);
  }
  settle(tally, agent, batch, { ...lost, receipts: answer.receipts ?? [] });
  // Replays are not counted again, except that an agent of version 1 settles its outbox by these counts alone.
  const vesVersion = batch[0]?.event.ves_version ?? 0;
  const expected = vesVersion === 1 ? batch.length : 0;
  if (answer.eventsAccepted !== expected || answer.eventsRejected !== 0) {
    const counts = `${answer.eventsAccepted} accepted and ${answer.eventsRejected} rejected`;
    throw new Error(`${agent.name} repeated a request: expected ${expected} accepted and 0 rejected, got ${counts}.`);
  }
  tally.replays.push({ agent: agent.name, vesVersion, events: batch.length, countedAsAccepted: expected });
}

function send(tally: Tally, { server, signer }: Agent, batch: readonly Outgoing[]): Promise<IngestAnswer> {
  tally.requests++;
  tally.sent += batch.length;
  const events = batch.map(({ event }) => event);
  return push(server, signer.agentId, events);
}

/** Takes the answer over, if it decided about every event as it should. */
function settle(tally: Tally, agent: Agent, batch: readonly Outgoing[], answer: IngestAnswer): void {
  const rejections = [...(answer.rejections ?? [])];
  // A flawed event may have the id of a sound one of the same batch, and is then the one that was refused.
  const flawedFirst = batch.toSorted((a, b) => Number(a.flaw === undefined) - Number(b.flaw === undefined));
  for (const { event, flaw } of flawedFirst) {
    const { event_id: eventId, entity_id: entityId, event_type: eventType } = event;
    const index = rejections.findIndex((rejection) => rejection.event_id === eventId);
    const [rejection] = index === -1 ? [] : rejections.splice(index, 1);
    if (flaw === undefined && rejection !== undefined) {
      throw new Error(
        `${agent.name}: ${eventType} of ${entityId} was refused: ${rejection.reason}, ${rejection.message}.`,
      );
    }
    if (flaw === undefined) continue;
    if (rejection === undefined) throw new Error(`The sequencer let in ${flaw.attempt}.`);
    const { reason, message } = rejection;
    if (!reason.startsWith(flaw.reason)) {
      throw new Error(`The sequencer refused ${flaw.attempt}, but as ${reason} and not as ${flaw.reason}: ${message}.`);
    }
    tally.rejections.push({ agent: agent.name, attempt: flaw.attempt, reason, message });
  }

  const receipts = answer.receipts ?? [];
  const good = batch.filter(({ flaw }) => flaw === undefined);
  if (answer.eventsAccepted !== good.length || receipts.length !== good.length) {
    const counts = `${answer.eventsAccepted} accepted and ${receipts.length} receipts`;
    throw new Error(`${agent.name} pushed ${good.length} sound events and got ${counts}.`);
  }
  tally.accepted += good.length;
  for (const receipt of receipts) tally.receipts.set(receipt.eventId, receipt);
}
