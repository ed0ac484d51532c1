import type { AgentPolicy } from "./messages.ts";

/** Where a rule may end in a star, it matches every text that begins with the rest. */
const WILDCARD = "*";

/** Whether `text` may stand in a list of allowed types: a name, `*`, or a prefix followed by `*`. */
export function isTypeRule(text: string): boolean {
  return text.length > 0 && !text.slice(0, -1).includes(WILDCARD);
}

/**
 * Which rule of the policy forbids an event, in the order in which they are checked, or undefined.
 *
 * @param payloadBytes size of the payload as canonical JSON in UTF-8
 */
export function brokenRule(
  policy: AgentPolicy,
  event: {
    readonly event_type: string;
    readonly entity_type: string;
    readonly base_version?: number;
  },
  payloadBytes: number,
): { readonly rule: keyof AgentPolicy; readonly message: string } | undefined {
  if (!policy.enabled) return undefined;
  if (!matchesAny(policy.allowedEventTypes, event.event_type)) {
    return { rule: "allowedEventTypes", message: `The agent may not record events of type ${event.event_type}` };
  }
  if (!matchesAny(policy.allowedEntityTypes, event.entity_type)) {
    return { rule: "allowedEntityTypes", message: `The agent may not record events of ${event.entity_type} entities` };
  }
  // What creates an entity has no earlier version to name.
  if (policy.requireBaseVersion && event.base_version === undefined && !event.event_type.endsWith(".created")) {
    return { rule: "requireBaseVersion", message: "The agent must send base_version with this event" };
  }
  if (policy.maxPayloadBytes !== null && payloadBytes > policy.maxPayloadBytes) {
    return {
      rule: "maxPayloadBytes",
      message: `The agent's payloads may have ${policy.maxPayloadBytes} bytes, this one has ${payloadBytes}`,
    };
  }
  return undefined;
}

function matchesAny(rules: readonly string[], type: string): boolean {
  return rules.some((rule) => (rule.endsWith(WILDCARD) ? type.startsWith(rule.slice(0, -1)) : type === rule));
}
