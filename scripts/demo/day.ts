import type { JsonObject } from "../../src/ves/index.ts";
import type { Fact } from "../lib/signer.ts";
import { type AgentName, DAY, type Happening } from "./happening.ts";
import { seededRandom } from "./random.ts";
import { productRange } from "./shop.ts";
import { orderStory, productStory, returnStory, type ShopDay, stockCountStory } from "./stories.ts";

/** A fact with its agent and its time in milliseconds since the epoch. */
export interface Planned {
  readonly agent: AgentName;
  readonly at: number;
  readonly fact: Omit<Fact, "payload"> & { readonly payload: JsonObject };
}

/** About one product for this many events, so that small days still have several orders for each. */
const EVENTS_PER_PRODUCT = 60;
const MIN_PRODUCTS = 6;
const MAX_PRODUCTS = 80;

/** The agent that still signs version 1, which covers neither command ids nor base versions: it gives none. */
export const VERSION_1_AGENT: AgentName = "support";

/**
 * The first `count` events of a shop's day, in the order in which they happen. Life cycles may be open at the end, as on
 * any day, but none has a step missing.
 *
 * @param start midnight at the beginning of the day, in milliseconds since the epoch
 */
export function planDay(seed: string, start: number, count: number): Planned[] {
  const random = seededRandom(seed);
  const productCount = Math.min(MAX_PRODUCTS, Math.max(MIN_PRODUCTS, Math.floor(count / EVENTS_PER_PRODUCT)));
  const day: ShopDay = { random, start, products: productRange(productCount), customers: [] };

  const happenings = day.products.flatMap((product) => productStory(day, product));
  while (happenings.length < count) {
    const story = [
      ...orderStory(day),
      ...(random.chance(0.25) ? returnStory(day) : []),
      ...(random.chance(0.2) ? stockCountStory(day) : []),
    ];
    happenings.push(...story.filter(({ at }) => at < start + DAY));
  }
  const kept = happenings.toSorted((a, b) => a.at - b.at).slice(0, count);
  return toFacts(withStockLevels(kept, day), day);
}

function toFacts(happenings: readonly Happening[], { random }: ShopDay): Planned[] {
  const versions = new Map<string, number>();
  return happenings.map(({ agent, at, entityType, entityId, eventType, payload, isCommand }) => {
    const version = versions.get(entityId) ?? 0;
    versions.set(entityId, version + 1);
    const ids = { eventId: random.uuid(), commandId: random.uuid() };
    // Several agents add to a customer without regard to one another, so only its beginning has a certain version.
    const knowsVersion = entityType !== "customer" || version === 0;
    const isVersion1 = agent === VERSION_1_AGENT;
    const fact = {
      entityType,
      entityId,
      eventType,
      payload,
      createdAt: new Date(at).toISOString(),
      eventId: ids.eventId,
      vesVersion: isVersion1 ? 1 : 2,
      ...(isCommand && !isVersion1 ? { commandId: ids.commandId } : {}),
      ...(knowsVersion && !isVersion1 ? { baseVersion: version } : {}),
    } as const;
    return { agent, at, fact };
  });
}

/** Adds to every event of a stock what is there after it. The first count leaves enough for the whole day. */
function withStockLevels(happenings: readonly Happening[], { random }: ShopDay): Happening[] {
  const inventory = happenings.filter(({ entityType }) => entityType === "inventory");
  const demand = new Map<string, number>();
  for (const { entityId, eventType, payload } of inventory) {
    if (eventType !== "inventory.reserved") continue;
    demand.set(entityId, (demand.get(entityId) ?? 0) + Number(payload["quantity"]));
  }
  const levels = new Map<string, { onHand: number; reserved: number }>();
  return happenings.map((happening) => {
    const { entityType, entityId, eventType, payload } = happening;
    if (entityType !== "inventory") return happening;
    const level = levels.get(entityId) ?? { onHand: 0, reserved: 0 };
    levels.set(entityId, level);
    const isFirstCount = eventType === "inventory.initialized";
    const quantity = isFirstCount ? (demand.get(entityId) ?? 0) + random.int(20, 90) : Number(payload["quantity"]);
    if (isFirstCount || eventType === "inventory.adjusted") level.onHand += quantity;
    if (eventType === "inventory.fulfilled") level.onHand -= quantity;
    if (eventType === "inventory.reserved") level.reserved += quantity;
    if (eventType === "inventory.fulfilled" || eventType === "inventory.released") level.reserved -= quantity;
    return { ...happening, payload: { ...payload, quantity, on_hand: level.onHand, reserved: level.reserved } };
  });
}
