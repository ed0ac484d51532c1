import type { JsonObject } from "../../src/ves/index.ts";

export const AGENT_NAMES = ["storefront", "warehouse", "support"] as const;

export type AgentName = (typeof AGENT_NAMES)[number];

/** Something that an agent records, before it has an id and a signature. */
export interface Happening {
  readonly agent: AgentName;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly entityType: "order" | "inventory" | "product" | "customer" | "return";
  readonly entityId: string;
  readonly eventType: string;
  readonly payload: JsonObject;
  /** Somebody asked for it, and asking twice must not do it twice: it gets a command id. */
  readonly isCommand?: true;
}

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
