import { currentWork } from "./current-work.ts";
import { LOG_LEVELS, type LogLevel } from "./log-level.ts";

/** What a line says beside its message. Never a secret, and nothing out of a payload. */
export type LogMembers = Readonly<Record<string, unknown>>;

const WRITERS: Readonly<Record<LogLevel, (line: string) => void>> = {
  error: (line) => console.error(line),
  warn: (line) => console.warn(line),
  info: (line) => console.log(line),
  debug: (line) => console.debug(line),
};

/** The same for everything in an isolate, as its variables are. */
let threshold: LogLevel = "info";

export function useLogLevel(level: LogLevel): void {
  threshold = level;
}

/**
 * Writes lines of JSON: the level, the message, the time, the request that is being worked for where one is, and the
 * members given. docs/observability.md lists those that are used.
 */
export const log = {
  error: (message: string, members?: LogMembers): void => write("error", message, members),
  warn: (message: string, members?: LogMembers): void => write("warn", message, members),
  info: (message: string, members?: LogMembers): void => write("info", message, members),
  debug: (message: string, members?: LogMembers): void => write("debug", message, members),
};

/** An error that nobody expected, as members of a line. */
export function failure(error: unknown): LogMembers {
  return { error: String(error), ...(error instanceof Error ? { stack: error.stack } : {}) };
}

function write(level: LogLevel, message: string, members: LogMembers = {}): void {
  const { requestId, trace, level: most = threshold } = currentWork() ?? {};
  if (LOG_LEVELS.indexOf(level) > LOG_LEVELS.indexOf(most)) return;
  const line = {
    level,
    message,
    time: new Date().toISOString(),
    request_id: requestId,
    trace_id: trace?.traceId,
    ...members,
  };
  WRITERS[level](JSON.stringify(line));
}
