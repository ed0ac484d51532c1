import type { AgentErrorCode } from "../errors.ts";

/** What to do about an error, in a sentence, where there is something to be done. */
export const HINTS: Readonly<Partial<Record<AgentErrorCode, string>>> = {
  EVENT_EXISTS: "It is safe: it will be pushed as it was recorded.",
  NO_CONFLICT: "stateset-sync conflicts lists those that are.",
  CANNOT_ENCRYPT_ANEW: "stateset-sync resolve --drop gives it up.",
  TIMEOUT: "Try again, or wait longer with --timeout.",
  UNREACHABLE: "Try again later; stateset-sync doctor tells what is wrong.",
  UNAUTHORIZED: "Give another credential: stateset-sync init --api-key-file PATH keeps one.",
  FORBIDDEN: "Use a credential that may do it: --api-key-file PATH.",
  STREAM_FROZEN: "Its operator has to look at it; what is recorded meanwhile is kept.",
  NOT_FOUND: "Look whether the id is right, and whether the event was pushed.",
  NOT_YET_SEALED: "Try again in some seconds, or wait longer with --timeout.",
  BUSY: "Try again when it has ended.",
  MALFORMED_ANSWER: "Look whether the URL is that of a sequencer.",
  SEQUENCER_KEY_CHANGED: "Ask its operator before you believe it.",
  NO_ENCRYPTION_KEY: "It has to register one first.",
  LOG_GAP: "Ask the sequencer's operator.",
  LOG_CONTRADICTION: "Keep the agent's directory as it is, and ask the sequencer's operator.",
};
