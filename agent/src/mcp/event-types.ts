import { MAX_EVENT_TYPE_BYTES, utf8 } from "../../../src/ves/index.ts";

/** Most rules, as many as an agent's policy may have at the sequencer. */
const MAX_RULES = 128;

/** Which types of events may be recorded: an exact name, `*` for all, or a beginning with `*` behind it. */
export type EventTypeRules = readonly string[];

/** Reads rules between commas. @returns what is wrong with them, in a sentence without its subject, in place of the rules */
export function readEventTypeRules(text: string): { readonly rules: EventTypeRules } | { readonly problem: string } {
  const rules = text.split(",").map((rule) => rule.trim());
  if (rules.length > MAX_RULES) return { problem: `has more than ${MAX_RULES} rules` };
  for (const rule of rules) {
    if (rule === "") return { problem: "has an empty rule between its commas" };
    if (rule.slice(0, -1).includes("*"))
      return { problem: `has * within ${JSON.stringify(rule)}; it may only end a rule` };
    if (utf8(rule).length > MAX_EVENT_TYPE_BYTES)
      return { problem: `has a rule of more than ${MAX_EVENT_TYPE_BYTES} bytes` };
  }
  return { rules };
}

export function isEventTypeAllowed(rules: EventTypeRules, eventType: string): boolean {
  return rules.some((rule) => (rule.endsWith("*") ? eventType.startsWith(rule.slice(0, -1)) : eventType === rule));
}
