import { AgentError } from "../errors.ts";
import { ADVICE } from "./advice.ts";
import type { ToolErrorCode } from "./tool-error-codes.ts";

/** A tool says no. `code` is for programs and never changes; `message` and `whatToDo` are for the model and for people. */
export class ToolError extends Error {
  override readonly name = "ToolError";
  readonly code: ToolErrorCode;
  readonly whatToDo: string;

  constructor(code: ToolErrorCode, message: string) {
    super(message);
    this.code = code;
    this.whatToDo = ADVICE[code];
  }
}

/** Anything that was thrown, as the caller hears of it. Of a fault, only that there was one. */
export function toolErrorOf(error: unknown): ToolError {
  if (error instanceof ToolError) return error;
  if (error instanceof AgentError) return new ToolError(error.code, error.message);
  return new ToolError("INTERNAL", "The server failed while it did this");
}
