import type { ExitCode } from "../exit-codes.ts";

/** What a check has found. */
export interface Finding {
  /** `warn`: it works, and somebody should look at it. */
  readonly status: "ok" | "warn" | "fail";
  /** What is, and what to do about it. */
  readonly message: string;
  /** Of a failure; 1 when absent. */
  readonly exitCode?: ExitCode;
}

/** One thing that was looked at. */
export interface Check extends Finding {
  /** For programs; it never changes. */
  readonly name: string;
}

export function ok(message: string): Finding {
  return { status: "ok", message };
}

export function warn(message: string): Finding {
  return { status: "warn", message };
}

export function fail(message: string, exitCode?: ExitCode): Finding {
  return { status: "fail", message, ...(exitCode === undefined ? {} : { exitCode }) };
}
