import { type Happening, HOUR, MINUTE, SECOND } from "./happening.ts";
import { orderContents, orderParcel } from "./order-contents.ts";
import type { Random } from "./random.ts";
import { type Customer, newAddress, newCustomer, type Product } from "./shop.ts";

/** What the stories of one day draw from. */
export interface ShopDay {
  readonly random: Random;
  /** Midnight at its beginning, in milliseconds since the epoch. */
  readonly start: number;
  readonly products: readonly Product[];
  /** Everybody who has bought something so far. */
  readonly customers: Customer[];
}

const RETURN_REASONS = ["damaged_in_transit", "wrong_size", "not_as_described", "changed_mind", "arrived_too_late"];
const CANCEL_REASONS = ["customer_request", "payment_declined", "address_not_served"];
const HIDING_PLACES = ["front door", "neighbour", "parcel locker", "reception"];

/** Before the shop opens: a product is listed, and its stock counted for the first time. */
export function productStory({ random, start }: ShopDay, product: Product): Happening[] {
  const { productId, sku, name, category, priceCents } = product;
  const listed = start + 5 * HOUR + random.int(0, 3_000) * SECOND;
  const about = { agent: "storefront", entityType: "product", entityId: productId } as const;
  const story: Happening[] = [
    {
      ...about,
      at: listed,
      eventType: "product.created",
      payload: { sku, name, category, price_cents: priceCents, currency: "EUR", tax_rate_percent: 21 },
      isCommand: true,
    },
    {
      ...about,
      at: listed + random.int(30, 300) * SECOND,
      eventType: "product.activated",
      payload: { channel: "web" },
    },
    {
      agent: "warehouse",
      at: listed + random.int(301, 600) * SECOND,
      entityType: "inventory",
      entityId: sku,
      eventType: "inventory.initialized",
      payload: { sku, location: "AMS-1", bin: `${random.code(1)}-${random.int(1, 40)}` },
    },
  ];
  if (random.chance(0.3)) {
    const price = Math.round((priceCents * random.int(80, 95)) / 100);
    const at = start + random.int(7 * 60, 20 * 60) * MINUTE;
    const payload = { price_cents: price, previous_price_cents: priceCents, reason: "autumn sale" };
    story.push({ ...about, at, eventType: "product.updated", payload, isCommand: true });
  }
  if (random.chance(0.08)) {
    const at = start + random.int(21 * 60 + 5, 22 * 60) * MINUTE;
    story.push({
      ...about,
      at,
      eventType: "product.deactivated",
      payload: { reason: "end of season" },
      isCommand: true,
    });
  }
  return story;
}

/** A shelf is counted and the books are put right. */
export function stockCountStory({ random, start, products }: ShopDay): Happening[] {
  const { sku } = random.pick(products);
  return [
    {
      agent: "warehouse",
      at: start + random.int(7 * 60, 21 * 60) * MINUTE,
      entityType: "inventory",
      entityId: sku,
      eventType: "inventory.adjusted",
      payload: { sku, location: "AMS-1", quantity: random.pick([-2, -1, 1, 2, 3]), reason: "cycle_count" },
      isCommand: true,
    },
  ];
}

/** Somebody buys something: it is reserved, then shipped and delivered, or cancelled before anybody picked it. */
export function orderStory(day: ShopDay): Happening[] {
  const { random, start } = day;
  const minute = random.chance(0.4) ? random.int(17 * 60, 21 * 60) : random.int(6 * 60 + 30, 17 * 60);
  const created = start + minute * MINUTE + random.int(0, 59_999);
  const orderId = `ORD-${random.code(4)}-${random.code(4)}`;
  const { customer, story } = buyer(day, created);
  const { lines, payload } = orderContents(day, customer);
  const about = { entityType: "order", entityId: orderId } as const;
  const stock = (at: number, eventType: string): Happening[] =>
    lines.map(({ sku, quantity }, index) => ({
      agent: "warehouse",
      at: at + index * 40,
      entityType: "inventory",
      entityId: sku,
      eventType,
      payload: { sku, location: "AMS-1", quantity, order_id: orderId },
    }));

  const confirmed = created + random.int(4, 50) * SECOND;
  const payment = { method: random.pick(["card", "ideal", "paypal"]), authorization: random.code(10) };
  story.push(
    { ...about, agent: "storefront", at: created, eventType: "order.created", payload, isCommand: true },
    {
      ...about,
      agent: "storefront",
      at: confirmed,
      eventType: "order.confirmed",
      payload: { payment: { ...payment, amount_cents: payload.total_cents } },
    },
    ...stock(confirmed + 2 * SECOND, "inventory.reserved"),
  );

  if (random.chance(0.1)) {
    const at = confirmed + random.int(60, 500) * SECOND;
    const cancellation = { reason: random.pick(CANCEL_REASONS), refund_cents: payload.total_cents };
    story.push({
      ...about,
      agent: "storefront",
      at,
      eventType: "order.cancelled",
      payload: cancellation,
      isCommand: true,
    });
    return [...story, ...stock(at + 3 * SECOND, "inventory.released")];
  }

  const processing = confirmed + random.int(10, 45) * MINUTE;
  const shipped = processing + random.int(25, 120) * MINUTE;
  const delivered = shipped + random.int(60, 330) * MINUTE;
  const record = (at: number, eventType: string, details: Happening["payload"]): Happening => ({
    ...about,
    agent: "warehouse",
    at,
    eventType,
    payload: details,
  });
  return [
    ...story,
    record(processing, "order.processing", { picker: `P-${random.int(11, 38)}`, tote: `T-${random.int(100, 999)}` }),
    ...stock(shipped - 30 * SECOND, "inventory.fulfilled"),
    record(shipped, "order.shipped", orderParcel(random, lines)),
    record(delivered, "order.delivered", { left_with: random.pick(HIDING_PLACES), signed: random.chance(0.3) }),
  ];
}

/** Something bought last week comes back, and goes on the shelf again if it is as new. */
export function returnStory({ random, start, products }: ShopDay): Happening[] {
  const product = random.pick(products);
  const returnId = `RET-${random.code(8)}`;
  const quantity = random.chance(0.85) ? 1 : 2;
  const refundCents = quantity * product.priceCents;
  const isAsNew = random.chance(0.7);
  const requested = start + random.int(6 * 60, 17 * 60) * MINUTE + random.int(0, 59_999);
  const approved = requested + random.int(3, 30) * MINUTE;
  const received = approved + random.int(60, 240) * MINUTE;
  const refunded = received + random.int(10, 40) * MINUTE;
  const item = { sku: product.sku, quantity, unit_price_cents: product.priceCents };
  const reason = random.pick(RETURN_REASONS);
  const orderId = `ORD-${random.code(4)}-${random.code(4)}`;
  const record = (at: number, step: string, payload: Happening["payload"]): Happening => ({
    agent: "support",
    at,
    entityType: "return",
    entityId: returnId,
    eventType: `return.${step}`,
    payload,
  });
  const story = [
    record(requested, "requested", { order_id: orderId, items: [item], reason, photos: random.int(0, 3) }),
    record(approved, "approved", { label: `RL-${random.code(9)}`, carrier: "PostNL", refund_cents: refundCents }),
    record(received, "received", { items: [item], condition: isAsNew ? "as_new" : "damaged" }),
    record(refunded, "refunded", { amount_cents: refundCents, currency: "EUR", method: "original_payment" }),
    record(refunded + random.int(2, 30) * MINUTE, "completed", { outcome: isAsNew ? "restocked" : "written_off" }),
  ];
  if (!isAsNew) return story;
  return [
    ...story,
    {
      agent: "warehouse",
      at: received + random.int(5, 25) * MINUTE,
      entityType: "inventory",
      entityId: product.sku,
      eventType: "inventory.adjusted",
      payload: { sku: product.sku, location: "AMS-1", quantity, reason: "customer_return", return_id: returnId },
      isCommand: true,
    },
  ];
}

/** Who buys at this time: somebody known by then, or somebody new, together with what is recorded about them. */
function buyer({ random, customers }: ShopDay, at: number): { customer: Customer; story: Happening[] } {
  const known = customers.filter(({ since }) => since < at);
  if (known.length > 0 && random.chance(0.5)) return { customer: random.pick(known), story: [] };

  const customer = newCustomer(random, at - random.int(60, 600) * SECOND);
  customers.push(customer);
  const { name, email, address, since } = customer;
  const about = { entityType: "customer", entityId: customer.customerId } as const;
  const story: Happening[] = [
    {
      ...about,
      agent: "storefront",
      at: since,
      eventType: "customer.created",
      payload: { name, email, address: { ...address }, newsletter: random.chance(0.4) },
      isCommand: true,
    },
  ];
  if (random.chance(0.25)) {
    const payload = {
      phone: `+31 6 ${random.int(10_000_000, 99_999_999)}`,
      language: random.pick(["en", "nl", "de", "fr"]),
    };
    const updated = at + random.int(2, 90) * MINUTE;
    story.push({ ...about, agent: "storefront", at: updated, eventType: "customer.updated", payload, isCommand: true });
  }
  if (random.chance(0.25)) {
    const payload = { label: random.pick(["work", "parents", "holiday home"]), address: { ...newAddress(random) } };
    const added = at + random.int(5, 120) * MINUTE;
    story.push({ ...about, agent: "support", at: added, eventType: "customer.address_added", payload });
  }
  return { customer, story };
}
