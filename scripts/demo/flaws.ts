import { generateSeed, signingKeyFromSeed, type WireEnvelope } from "../../src/ves/index.ts";
import { type Fact, signEvent } from "../lib/signer.ts";
import type { Agents } from "./agents.ts";
import type { Planned } from "./day.ts";
import { type AgentName, HOUR, MINUTE } from "./happening.ts";
import type { Flaw, Outgoing } from "./outbox.ts";

/**
 * Events that must not get in, each wrong in one way: made by a tamperer, an impostor, an agent that was not up to date,
 * or a bug. A day that is too short to hold the occasion for one goes without it.
 */
export async function flawedEvents(planned: readonly Planned[], agents: Agents): Promise<Outgoing[]> {
  const all = await Promise.all([
    tamperedPayload(planned, agents),
    forgedSignature(planned, agents),
    unregisteredKey(planned, agents),
    staleBaseVersion(planned, agents),
    reusedEventId(planned, agents),
    reusedCommandId(planned, agents),
  ]);
  return all.filter((outgoing) => outgoing !== undefined);
}

type Attempt = Promise<Outgoing | undefined>;

async function tamperedPayload(planned: readonly Planned[], agents: Agents): Attempt {
  const order = find(planned, "storefront", "order.created", 0.3);
  if (order === undefined) return undefined;
  const event = await signEvent(agents.storefront.signer, { ...again(order), entityId: "ORD-TAMPERED" });
  const tampered = { ...event, payload: { ...order.fact.payload, total_cents: 1 } };
  return flawed(order, 0, tampered, "a total set to one cent after the order was signed", "invalid_payload_hash");
}

async function forgedSignature(planned: readonly Planned[], agents: Agents): Attempt {
  const adjustment = find(planned, "warehouse", "inventory.adjusted", 0.1);
  if (adjustment === undefined) return undefined;
  const { signer } = agents.warehouse;
  const forger = { ...signer, key: await signingKeyFromSeed(generateSeed()) };
  const event = await signEvent(forger, again(adjustment));
  return flawed(adjustment, 0, event, "a stock adjustment signed by somebody else", "invalid_signature");
}

async function unregisteredKey(planned: readonly Planned[], agents: Agents): Attempt {
  const shipment = find(planned, "warehouse", "order.shipped", 0.6);
  if (shipment === undefined) return undefined;
  const { signer } = agents.warehouse;
  const event = await signEvent({ ...signer, keyId: signer.keyId + 1 }, again(shipment));
  return flawed(shipment, 0, event, "a shipment under a key that was never registered", "agent_key_invalid");
}

/** While the customer cancels, the warehouse still works from the order as it was confirmed. */
async function staleBaseVersion(planned: readonly Planned[], agents: Agents): Attempt {
  const cancelled = find(planned, "storefront", "order.cancelled", 0.3);
  const version = cancelled?.fact.baseVersion;
  if (cancelled === undefined || version === undefined) return undefined;
  const event = await signEvent(agents.warehouse.signer, {
    entityType: "order",
    entityId: cancelled.fact.entityId,
    eventType: "order.processing",
    payload: { picker: "P-17", tote: "T-404" },
    createdAt: new Date(cancelled.at + MINUTE).toISOString(),
    baseVersion: version,
  });
  const late = { ...cancelled, agent: "warehouse" } as const;
  return flawed(late, MINUTE, event, "picking an order that was cancelled meanwhile", "version_conflict");
}

async function reusedEventId(planned: readonly Planned[], agents: Agents): Attempt {
  const request = find(planned, "support", "return.requested", 0.1);
  if (request === undefined) return undefined;
  const event = await signEvent(agents.support.signer, {
    ...request.fact,
    payload: { ...request.fact.payload, reason: "changed_mind_again" },
  });
  return flawed(request, 4 * HOUR, event, "a return rewritten under its old event id", "duplicate_event_id");
}

async function reusedCommandId(planned: readonly Planned[], agents: Agents): Attempt {
  const order = find(planned, "storefront", "order.created", 0.1);
  const commandId = order?.fact.commandId;
  if (order === undefined || commandId === undefined) return undefined;
  const fact = { ...again(order), entityId: "ORD-2ND-CLICK", commandId };
  const event = await signEvent(agents.storefront.signer, fact);
  return flawed(order, 2 * HOUR, event, "a second click on the same order button", "duplicate_command_id");
}

/** The first such event after that share of the day's events. */
function find(planned: readonly Planned[], agent: AgentName, eventType: string, share: number): Planned | undefined {
  const isOne = (candidate: Planned): boolean => candidate.agent === agent && candidate.fact.eventType === eventType;
  return planned.slice(Math.floor(planned.length * share)).find(isOne) ?? planned.find(isOne);
}

/** The same fact as an event of its own, which nothing but its flaw speaks against. */
function again({ fact }: Planned): Fact {
  const { eventId, commandId, baseVersion, ...rest } = fact;
  return rest;
}

function flawed(
  like: Planned,
  afterMs: number,
  event: WireEnvelope,
  attempt: Flaw["attempt"],
  reason: Flaw["reason"],
): Outgoing {
  return { agent: like.agent, at: like.at + afterMs, event, flaw: { attempt, reason } };
}
