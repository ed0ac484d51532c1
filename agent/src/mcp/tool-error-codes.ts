import type { AgentErrorCode } from "../errors.ts";

/**
 * Every way in which a tool says no.
 *
 * - `INVALID_INPUT`: the arguments do not have the form that the tool's schema asks for
 * - `EVENT_TYPE_NOT_ALLOWED`: this server records no events of that type
 * - `VERSION_CONFLICT`: the entity has another version than the action expects
 * - `COMMAND_USED`: the command had its effect, with other contents
 * - `REJECTED`: the sequencer refuses the action, and would again
 * - `OUTCOME_UNKNOWN`: the action was sent and no answer came
 * - `PROJECTION_NOT_SERVED`: the entity exists, and the sequencer computes no document of it
 * - `TOO_MANY_CALLS`: as many calls are under way as this server takes
 * - `INTERNAL`: a fault of this server
 * - all else: as {@link AgentErrorCode}
 */
export type ToolErrorCode =
  | AgentErrorCode
  | "INVALID_INPUT"
  | "EVENT_TYPE_NOT_ALLOWED"
  | "VERSION_CONFLICT"
  | "COMMAND_USED"
  | "REJECTED"
  | "OUTCOME_UNKNOWN"
  | "PROJECTION_NOT_SERVED"
  | "TOO_MANY_CALLS"
  | "INTERNAL";
