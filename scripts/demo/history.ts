import { call, type Server } from "../lib/client.ts";
import type { Agents, Stream } from "./agents.ts";
import type { LoggedEvent } from "./verify.ts";

/** One step in an entity's life. */
export interface HistoryStep {
  readonly sequenceNumber: number;
  readonly eventType: string;
  readonly agent: string;
  readonly createdAt: string;
}

/** What happened to one entity. */
export interface EntityHistory {
  readonly entityType: string;
  readonly entityId: string;
  readonly version: number;
  readonly path: string;
  readonly steps: readonly HistoryStep[];
}

interface HistoryAnswer {
  readonly events: readonly { readonly sequence_number: number; readonly event_id: string }[];
  readonly current_version: number;
}

/**
 * The history of an order that was delivered, or got furthest, as the sequencer tells it; it must be what the whole log
 * tells. @throws Error
 */
export async function orderHistory(
  server: Server,
  { tenantId, storeId }: Stream,
  log: readonly LoggedEvent[],
  agents: Agents,
): Promise<EntityHistory> {
  const orders = Map.groupBy(
    log.filter(({ entity_type: type }) => type === "order"),
    ({ entity_id: id }) => id,
  );
  const [entityId, events] = [...orders].reduce((best, order) => (order[1].length > best[1].length ? order : best));
  const path = `/api/v1/ves/entities/order/${entityId}?tenant_id=${tenantId}&store_id=${storeId}`;
  const answer = await call<HistoryAnswer>(server, "GET", path);
  const isSame =
    answer.current_version === events.length &&
    answer.events.length === events.length &&
    answer.events.every(({ event_id: id }, index) => id === events[index]?.event_id);
  if (!isSame) throw new Error(`The history of order ${entityId} is not what the log holds of it.`);

  const names = new Map(Object.values(agents).map(({ name, signer }) => [signer.agentId, name]));
  const steps = events.map((event) => ({
    sequenceNumber: event.sequence_number,
    eventType: event.event_type,
    agent: names.get(event.source_agent_id) ?? event.source_agent_id,
    createdAt: event.created_at,
  }));
  return { entityType: "order", entityId, version: answer.current_version, path, steps };
}
