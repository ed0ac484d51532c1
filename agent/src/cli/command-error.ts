import { UsageError } from "../../../scripts/lib/usage.ts";
import { AgentError } from "../errors.ts";
import { EXIT, type ExitCode, exitCodeOf } from "./exit-codes.ts";
import { HINTS } from "./hints.ts";

/** Why a command cannot do what it should, in a sentence that says what to do. `code` is for programs and never changes. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly code: string;
  readonly exitCode: ExitCode;

  constructor(code: string, message: string, exitCode: ExitCode, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.exitCode = exitCode;
  }
}

/** What is told of an error. */
export interface ToldError {
  readonly code: string;
  readonly message: string;
  readonly exitCode: ExitCode;
}

/** Every error has a code and a message; those that nobody foresaw are `FAILED`. */
export function toldError(error: unknown): ToldError {
  if (error instanceof CommandError) return error;
  if (error instanceof AgentError) return toldAgentError(error);
  const { message, code } = error as NodeJS.ErrnoException;
  if (error instanceof UsageError) return { code: "USAGE", message, exitCode: EXIT.usage };
  if (code === "ERR_SQLITE_ERROR") {
    const sentence = `The agent's store cannot be used: ${message}. Run stateset-sync doctor.`;
    return { code: "OUTBOX_UNREADABLE", message: sentence, exitCode: EXIT.unsound };
  }
  return { code: "FAILED", message, exitCode: EXIT.unsound };
}

function toldAgentError({ code, message }: AgentError): ToldError {
  const exitCode = exitCodeOf(code);
  if (code === "ABORTED") return { code, message: "Interrupted: what was done until then stays.", exitCode };
  const hint = HINTS[code];
  return { code, message: hint === undefined ? message : `${message.replace(/\.$/, "")}. ${hint}`, exitCode };
}
