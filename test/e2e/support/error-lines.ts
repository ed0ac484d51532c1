/*
 * What a server may say of errors while its mirror cannot be reached: one sentence for each attempt, and not many of them.
 */

const STREAM = "mirroring the stream failed";
/** Of its tenant's registry, and of the question whether a new stream was lost. */
const OTHERS = ["mirroring the registry failed", "Postgres could not be asked whether the stream was lost"];
/**
 * workerd's own remarks: of its stand-in for Hyperdrive, and of alarms that were set anew while they were firing or that its
 * scheduler still has after a kill, when the object has none or a later one.
 */
const WORKERD =
  /^(failed to connect to local database; e = |stack: \S+workerd\S*( |$)|NOSENTRY SQLite alarm (overdue, |handler canceled ))/;

/** A failed attempt to mirror, as a stream tells of it. */
export interface FailedAttempt {
  readonly attempt: number;
  readonly waitMs: number;
  readonly line: string;
}

/** The attempts of the one stream that is written to. @throws Error when something else was said */
export function failedAttempts(errors: string): FailedAttempt[] {
  return errors.split("\n").flatMap((line) => {
    if (line.trim() === "" || WORKERD.test(line)) return [];
    const { message, attempt, retry_ms: waitMs } = logLine(line);
    if (message !== undefined && OTHERS.includes(message)) return [];
    if (message !== STREAM || attempt === undefined || waitMs === undefined) {
      throw new Error(`the server must not say: ${line}`);
    }
    return [{ attempt, waitMs, line }];
  });
}

interface LogLine {
  readonly message?: string;
  readonly attempt?: number;
  readonly retry_ms?: number;
}

/** Nothing of a line that is no JSON. */
function logLine(line: string): LogLine {
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return {};
  }
}

/** What is wrong with the waits between attempts: each must be about twice the one before, and the first half a second. */
export function backoffProblems(attempts: readonly FailedAttempt[]): string[] {
  return attempts.flatMap(({ attempt, waitMs, line }, index) => {
    const expected = Math.min(60_000, 500 * 2 ** attempt);
    const follows = attempt === 1 || attempt === (attempts[index - 1]?.attempt ?? 0) + 1;
    return follows && waitMs >= expected / 2 && waitMs <= expected ? [] : [`not as it backs off: ${line}`];
  });
}

/** Most attempts in so long an outage, if every wait is as short as chance allows. */
export function mostAttempts(outageMs: number): number {
  let attempts = 1;
  for (let at = 0, wait = 500; at + wait <= outageMs; attempts++, wait *= 2) at += wait;
  return attempts;
}
