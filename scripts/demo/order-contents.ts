import type { JsonObject } from "../../src/ves/index.ts";
import type { Random } from "./random.ts";
import type { Customer, Product } from "./shop.ts";

export interface OrderLine extends JsonObject {
  readonly sku: string;
  readonly name: string;
  readonly quantity: number;
  readonly unit_price_cents: number;
  readonly total_cents: number;
}

interface OrderPayload extends JsonObject {
  readonly total_cents: number;
}

const FREE_SHIPPING_FROM_CENTS = 5_000;
const SHIPPING_CENTS = 495;
const TAX_PERCENT = 21;

/** What somebody puts in the basket, and the order that becomes of it: integer cents, tax included in the prices. */
export function orderContents(
  { random, products }: { readonly random: Random; readonly products: readonly Product[] },
  customer: Customer,
): { lines: readonly OrderLine[]; payload: OrderPayload } {
  const wanted = new Set(Array.from({ length: random.pick([1, 1, 1, 2, 2, 3]) }, () => random.pick(products)));
  const lines = [...wanted].map(({ sku, name, priceCents }): OrderLine => {
    const quantity = random.pick([1, 1, 1, 2, 2, 4]);
    return { sku, name, quantity, unit_price_cents: priceCents, total_cents: quantity * priceCents };
  });
  const subtotal = lines.reduce((sum, line) => sum + line.total_cents, 0);
  const shipping = subtotal >= FREE_SHIPPING_FROM_CENTS ? 0 : SHIPPING_CENTS;
  const total = subtotal + shipping;
  const payload = {
    customer_id: customer.customerId,
    channel: random.pick(["web", "web", "app"]),
    currency: "EUR",
    lines: [...lines],
    subtotal_cents: subtotal,
    shipping_cents: shipping,
    tax_included_cents: Math.round((total * TAX_PERCENT) / (100 + TAX_PERCENT)),
    total_cents: total,
    ship_to: { name: customer.name, ...customer.address },
  };
  return { lines, payload };
}

/** How an order travels. */
export function orderParcel(random: Random, lines: readonly OrderLine[]): JsonObject {
  const pieces = lines.reduce((sum, { quantity }) => sum + quantity, 0);
  return {
    carrier: random.pick(["PostNL", "DHL", "Fietskoeriers"]),
    service: "same-day",
    tracking_number: `3S${random.code(11)}`,
    parcels: Math.ceil(pieces / 4),
    weight_grams: 180 + pieces * random.int(250, 700),
  };
}
