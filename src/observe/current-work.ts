import { AsyncLocalStorage } from "node:async_hooks";
import type { LogLevel } from "./log-level.ts";
import type { OpenSpan } from "./open-span.ts";

/** What is being worked for, so that logs and spans name it without its being handed through every call. */
export interface Work {
  /** Absent where no request is behind it. */
  readonly requestId?: string | undefined;
  /** What is logged of it; absent: what the isolate logs. */
  readonly level?: LogLevel | undefined;
  /** The span that spans begun now are below; absent while nothing is traced. */
  readonly trace?: OpenSpan | undefined;
}

const works = new AsyncLocalStorage<Work>();

export function currentWork(): Work | undefined {
  return works.getStore();
}

/** Runs `body`, and whatever it begins, as part of this work. */
export function within<T>(work: Work, body: () => T): T {
  return works.run(work, body);
}
