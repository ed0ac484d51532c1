import { pause } from "./pause.ts";
import { anchorRound, type AnchorPlace, type RoundReport } from "./round.ts";

/** Between two looks at the chain. */
const POLL_MS = 1_000;

/**
 * Rounds until nothing is under way, or time is up: a backlog is sent one transaction after the other, and what is sent is
 * noted as final as soon as it is, and not a Cron period later.
 *
 * @returns what went wrong last
 */
export async function anchorAll(place: AnchorPlace, timeMs: number): Promise<readonly string[]> {
  const until = Date.now() + timeMs;
  for (;;) {
    const report = await anchorRound(place, null, until);
    if (isQuiet(report) || Date.now() + POLL_MS > until) return report.problems;
    await pause(POLL_MS);
  }
}

/** Another run does the work, or there is none; or it does not get on now. */
function isQuiet({ isBusy, sent, open, problems }: RoundReport): boolean {
  return isBusy || (sent === 0 && (open === 0 || problems.length > 0));
}
