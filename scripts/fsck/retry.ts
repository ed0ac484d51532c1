import { setTimeout as sleep } from "node:timers/promises";
import { ApiError, call, type Server } from "../lib/client.ts";
import { SourceError } from "./log-source.ts";

const ATTEMPTS = 6;
const FIRST_DELAY_MS = 250;

/**
 * One call of the HTTP API, repeated for about eight seconds while the server cannot be reached or cannot answer just now.
 * Only for calls that may be repeated.
 *
 * @param firstDelayMs before the second attempt; doubled before each later one
 * @throws ApiError for an answer that repeating would not change
 * @throws SourceError when the server stays out of reach
 */
export async function callPatiently<Answer>(
  server: Server,
  method: string,
  path: string,
  body?: unknown,
  firstDelayMs = FIRST_DELAY_MS,
): Promise<Answer> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call<Answer>(server, method, path, body);
    } catch (error) {
      if (!isPassing(error)) throw error;
      if (attempt === ATTEMPTS) throw new SourceError(unreachable(server, error), { cause: error });
    }
    await sleep(firstDelayMs * 2 ** (attempt - 1));
  }
}

/** A frozen stream is 503 as well, and stays frozen; so is a payload whose key is not there. */
const LASTING = ["STREAM_FROZEN", "PAYLOAD_UNREADABLE"];

function isPassing(error: unknown): boolean {
  if (!(error instanceof ApiError)) return true;
  return error.status === 429 || (error.status >= 500 && !LASTING.includes(error.code));
}

function unreachable({ url }: Server, error: unknown): string {
  if (error instanceof ApiError) return `The sequencer at ${url} keeps answering ${error.message}.`;
  const cause = (error as Error).cause;
  const why = cause instanceof Error && cause.message !== "" ? cause.message : (error as Error).message;
  return `The sequencer at ${url} cannot be reached: ${why}.`;
}
