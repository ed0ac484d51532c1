import type { ToolErrorCode } from "./tool-error-codes.ts";

const CORRECT = "Correct the arguments and call again.";
const LATER = "Wait a few seconds and call again with the same arguments.";
const AGAIN = "Call again with the same arguments if the answer is still wanted.";
const CREDENTIAL = "Ask the operator: the server's credential does not allow this.";
const CHECK = "Check the arguments against the message.";
const FAULT = "Call again; if it stays so, tell the operator.";
const DISTRUST = "Rely on nothing that this sequencer says, and tell the operator: its answers do not verify.";

/** What can be done when a tool says no. */
export const ADVICE: Readonly<Record<ToolErrorCode, string>> = {
  INVALID_INPUT: CORRECT,
  INVALID_EVENT: CORRECT,
  EVENT_TYPE_NOT_ALLOWED: "Leave this action, or ask the operator to add its type to STATESET_ALLOWED_EVENT_TYPES.",
  VERSION_CONFLICT:
    "Read the entity's history, see whether the action is still right, and call again with its currentVersion as baseVersion.",
  COMMAND_USED: "If this is another action, call again with a new commandId. If not, it was done already.",
  REJECTED: "Correct what the message names, or ask an administrator of the sequencer.",
  OUTCOME_UNKNOWN:
    "Call again with the very same arguments: the action cannot be recorded twice, and the answer says what became of it.",
  PROJECTION_NOT_SERVED: "Read the entity's events with stateset_get_entity_history.",
  TOO_MANY_CALLS: LATER,
  BUSY: LATER,
  UNREACHABLE: LATER,
  TIMEOUT: AGAIN,
  ABORTED: AGAIN,
  UNAUTHORIZED: CREDENTIAL,
  FORBIDDEN: CREDENTIAL,
  STREAM_FROZEN: "Ask an operator of the sequencer. Reading goes on meanwhile.",
  NOT_FOUND: "Check the names and numbers that were asked for.",
  NOT_YET_SEALED: "Call again in a few seconds, or with a longer timeoutMs: batches are sealed within seconds.",
  REFUSED: CHECK,
  INVALID_OPTIONS: "Tell the operator what the message says: the server is set up wrongly.",
  EVENT_EXISTS: CHECK,
  NO_CONFLICT: CHECK,
  CANNOT_ENCRYPT_ANEW: "Record the event anew.",
  CLOSED: "The server is stopping; call again when it runs.",
  MALFORMED_ANSWER: FAULT,
  INTERNAL: FAULT,
  SEQUENCER_KEY_CHANGED: DISTRUST,
  SEQUENCER_KEY_NOT_APPROVED:
    "Rely on nothing new that this sequencer says until the operator has approved the key that the message names: tell the operator.",
  INVALID_RECEIPT: DISTRUST,
  INVALID_DIRECTORY: DISTRUST,
  NO_ENCRYPTION_KEY: "The agent has to register an encryption key first.",
  LOG_GAP: DISTRUST,
  LOG_CONTRADICTION: DISTRUST,
};
