import type { Fact } from "../lib/signer.ts";

/**
 * The events that are measured with: the life of an order in four events that follow each other, with payloads of about
 * 400 bytes as canonical JSON. Pure, so that client processes and workerd make the same ones.
 */

export const EVENTS_PER_ENTITY = 4;
const LIFE = ["order.created", "order.paid", "order.packed", "order.shipped"] as const;

export interface FactOptions {
  /** Sets entities of different callers apart. */
  readonly prefix: string;
  readonly commandIds: boolean;
}

/** The fact of number `index` of one caller, counted from 0. */
export function factOf(index: number, { prefix, commandIds }: FactOptions): Fact {
  const order = Math.floor(index / EVENTS_PER_ENTITY);
  return entityFact(`${prefix}-${order}`, index, commandIds);
}

/** A fact about a given entity. */
export function entityFact(entityId: string, index: number, commandIds: boolean): Fact {
  const eventType = LIFE[index % EVENTS_PER_ENTITY] ?? LIFE[0];
  return {
    entityType: "order",
    entityId,
    eventType,
    createdAt: "2026-11-05T10:11:12.345Z",
    payload: {
      order_id: entityId,
      step: eventType,
      customer: { id: `cust-${(index * 7919) % 100_003}`, email: `buyer${index % 5_003}@shop.example` },
      currency: "EUR",
      total_cents: 1_999 + (index % 50_000),
      items: [
        {
          sku: `SKU-${100_000 + (index % 9_973)}`,
          title: "Notebook, dotted, A5, 192 pages",
          quantity: 1,
          price_cents: 1_299,
        },
        {
          sku: `SKU-${200_000 + (index % 9_967)}`,
          title: "Fountain pen, fine nib, blue",
          quantity: 2,
          price_cents: 350,
        },
      ],
      shipping: { method: "parcel", city: "Vienna", postal_code: "1070", country: "AT" },
    },
    ...(commandIds ? { commandId: crypto.randomUUID() } : {}),
  };
}
