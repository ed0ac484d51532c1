import { RequestError } from "../errors.ts";

/** How a limit stands. */
interface LimitState {
  readonly amount: number;
  readonly remaining: number;
  /** Milliseconds until something of it is free again. */
  readonly resetMs: number;
}

/** The headers that tell how a limit stands. */
export function limitHeaders({ amount, remaining, resetMs }: LimitState): readonly [name: string, value: string][] {
  return [
    ["ratelimit-limit", String(amount)],
    ["ratelimit-remaining", String(remaining)],
    ["ratelimit-reset", String(seconds(resetMs))],
  ];
}

/** The refusal of what a limit has no room for. */
export function limitExceeded(message: string, state: LimitState): RequestError {
  return new RequestError("RATE_LIMIT_EXCEEDED", message, {
    retryAfter: seconds(state.resetMs),
    headers: Object.fromEntries(limitHeaders(state)),
  });
}

/** Whole ones, and never less than it takes. */
function seconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1_000));
}
