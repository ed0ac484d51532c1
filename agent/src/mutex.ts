import { unlessAborted } from "./unless-aborted.ts";

/**
 * Lets one piece of work begin when the one before it has ended. Once it has begun, the signal is its own matter.
 *
 * @throws AgentError ABORTED when the signal says so before; the work is left out then
 */
export type Mutex = <T>(work: () => Promise<T>, signal?: AbortSignal) => Promise<T>;

export function createMutex(): Mutex {
  let last: Promise<unknown> = Promise.resolve();
  return (work, signal) => {
    const before = last;
    const result = unlessAborted(before, signal).then(work);
    // Who gives up leaves its place, and what has begun before it still goes on.
    const ended = result.catch(() => undefined);
    last = before.then(() => ended);
    return result;
  };
}
