import type { JsonObject } from "../../../src/ves/index.ts";

const text: JsonObject = { type: "string", minLength: 1, maxLength: 256 };
const cents: JsonObject = { type: "integer", minimum: 0 };

/** A schema that says something about every member of the payloads that are measured with, as shops' schemas do. */
export const ORDER_SCHEMA: JsonObject = {
  type: "object",
  required: ["order_id", "step", "customer", "currency", "items"],
  properties: {
    order_id: text,
    step: { enum: ["order.created", "order.paid", "order.packed", "order.shipped"] },
    customer: {
      type: "object",
      required: ["id"],
      properties: { id: text, email: { type: "string", format: "email", maxLength: 320 } },
    },
    currency: { type: "string", pattern: "^[A-Z]{3}$" },
    total_cents: cents,
    items: {
      type: "array",
      minItems: 1,
      maxItems: 1_000,
      items: {
        type: "object",
        required: ["sku", "quantity"],
        properties: {
          sku: { type: "string", pattern: "^SKU-\\d{6}$" },
          title: text,
          quantity: { type: "integer", minimum: 1 },
          price_cents: cents,
        },
      },
    },
    shipping: {
      type: "object",
      properties: { method: text, city: text, postal_code: text, country: { type: "string", pattern: "^[A-Z]{2}$" } },
    },
  },
};
