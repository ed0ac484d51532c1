/**
 * Every way in which the agent says no. The union is closed so that a caller can `switch` over it.
 *
 * - `INVALID_OPTIONS`: the agent cannot be made of what was given, or the URL that was given redirects elsewhere
 * - `INVALID_EVENT`: the event breaks a rule and was not recorded
 * - `EVENT_EXISTS`: an event with this id was recorded before, or is in the log
 * - `NO_CONFLICT`: the event to be resolved is not in conflict
 * - `CANNOT_ENCRYPT_ANEW`: an encrypted event cannot be said again, because the agent cannot decrypt it or does not know all its
 *   recipients' keys; drop it, and record it anew
 * - `CLOSED`: the agent was closed
 * - `ABORTED`: the caller's signal said so
 * - `TIMEOUT`: what was waited for did not come in time
 * - `UNREACHABLE`: no answer, or none but "later", however often it was asked; try again
 * - `UNAUTHORIZED`, `FORBIDDEN`: the credential is not known, or does not allow this
 * - `STREAM_FROZEN`: the stream takes no writes until an operator has looked at it; reads go on
 * - `REFUSED`: the sequencer refuses the request, and would again
 * - `NOT_FOUND`, `NOT_YET_SEALED`: there is no such event, or no proof of it yet
 * - `BUSY`: another process pushes the same outbox just now
 * - `MALFORMED_ANSWER`: what came is no answer of a sequencer, such as a proxy's refusal
 * - `SEQUENCER_KEY_CHANGED`: the sequencer's keys are not those that were pinned
 * - `SEQUENCER_KEY_NOT_APPROVED`: the sequencer signs with a key that is not pinned, which the message names; once its operator has
 *   said that it is theirs, `trust.approveKey` may approve it, or `stateset-sync keys trust`
 * - `INVALID_RECEIPT`: a receipt does not verify; its event does not count as sent
 * - `INVALID_DIRECTORY`: a directory of an agent's keys is not signed by the sequencer, is another agent's, or is too old
 * - `NO_ENCRYPTION_KEY`: an agent has no key that may be encrypted to
 * - `LOG_GAP`: the sequencer left numbers out
 * - `LOG_CONTRADICTION`: a sealed batch is not what its events lead to, or not what was sealed before; or the log has another
 *   event where a receipt says that an own one stands
 */
export type AgentErrorCode =
  | "INVALID_OPTIONS"
  | "INVALID_EVENT"
  | "EVENT_EXISTS"
  | "NO_CONFLICT"
  | "CANNOT_ENCRYPT_ANEW"
  | "CLOSED"
  | "ABORTED"
  | "TIMEOUT"
  | "UNREACHABLE"
  | "UNAUTHORIZED"
  | "FORBIDDEN"
  | "STREAM_FROZEN"
  | "REFUSED"
  | "NOT_FOUND"
  | "NOT_YET_SEALED"
  | "BUSY"
  | "MALFORMED_ANSWER"
  | "SEQUENCER_KEY_CHANGED"
  | "SEQUENCER_KEY_NOT_APPROVED"
  | "INVALID_RECEIPT"
  | "INVALID_DIRECTORY"
  | "NO_ENCRYPTION_KEY"
  | "LOG_GAP"
  | "LOG_CONTRADICTION";

interface AgentErrorExtras {
  readonly cause?: unknown;
  /** The sequencer's own code and message, where it was the sequencer that said no. */
  readonly server?: { readonly status: number; readonly code: string; readonly message: string };
  /** Milliseconds after which the sequencer asks to be tried again. */
  readonly retryAfterMs?: number | undefined;
}

/** The only error that the agent throws on purpose. `message` is for people, `code` is for programs and never changes. */
export class AgentError extends Error {
  override readonly name = "AgentError";
  readonly code: AgentErrorCode;
  readonly server: AgentErrorExtras["server"];
  readonly retryAfterMs: number | undefined;

  constructor(code: AgentErrorCode, message: string, extras: AgentErrorExtras = {}) {
    super(message, extras.cause === undefined ? undefined : { cause: extras.cause });
    this.code = code;
    this.server = extras.server;
    this.retryAfterMs = extras.retryAfterMs;
  }
}

/** @throws AgentError ABORTED when the signal has said so */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw aborted(signal);
}

export function aborted(signal: AbortSignal): AgentError {
  return new AgentError("ABORTED", "Aborted by the caller", { cause: signal.reason });
}

/** Why a request failed, in words: what `fetch` throws says it in its cause. */
export function reasonOf(error: unknown): string {
  const { message, cause } = error as { message?: string; cause?: { message?: string } };
  return cause?.message || message || String(error);
}
