import type { Receipt } from "../../src/ves/index.ts";
import type { AgentError } from "./errors.ts";

/**
 * What can be done about a rejection.
 *
 * - `resolve`: the entity has moved on; `resolve()` says the same of its present version, or drops it
 * - `register-key`: the agent's key is unknown, revoked or out of its window; record the event again with one that holds
 * - `ask-admin`: a policy or a schema forbids it; somebody has to change that, or the event is to be left
 * - `correct`: the event itself is wrong; record a correct one
 * - `nothing`: its command has had its effect already
 */
export type Advice = "resolve" | "register-key" | "ask-admin" | "correct" | "nothing";

/**
 * What became of one event that was pushed.
 *
 * - `accepted`: it has its number, and the receipt verified
 * - `replayed`: the same, and the sequencer had it already: an earlier answer was lost
 * - `rejected`: the sequencer refuses it; those behind it go on
 * - `unknown`: no answer came. The next push repeats it, which cannot sequence it twice
 */
export type Outcome =
  | { readonly kind: "accepted"; readonly eventId: string; readonly sequenceNumber: number; readonly receipt: Receipt }
  | { readonly kind: "replayed"; readonly eventId: string; readonly sequenceNumber: number; readonly receipt: Receipt }
  | {
      readonly kind: "rejected";
      readonly eventId: string;
      /** For programs: the sequencer's reason, or `request_refused: CODE` where it would not take the event at all. */
      readonly reason: string;
      /** For people. */
      readonly message: string;
      readonly advice: Advice;
    }
  | { readonly kind: "unknown"; readonly eventId: string; readonly message: string };

/** What came of a push. */
export interface PushReport {
  /** In the order of recording; one for each event that was sent. */
  readonly outcomes: readonly Outcome[];
  /** Why it ended before all was sent; null when all was. What was not answered is tried again by the next push. */
  readonly stopped: AgentError | null;
}

export function adviceFor(reason: string): Advice {
  if (reason.startsWith("version_conflict")) return "resolve";
  if (reason.startsWith("agent_key_invalid")) return "register-key";
  if (reason.startsWith("policy_violation") || reason === "schema_validation") return "ask-admin";
  return reason === "duplicate_command_id" ? "nothing" : "correct";
}
