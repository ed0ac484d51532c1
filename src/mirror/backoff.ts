const FIRST_MS = 500;
export const LONGEST_BACKOFF_MS = 60_000;

/**
 * How long to wait after so many failures in a row: doubled each time up to a minute, and between half and all of that by
 * chance, so that the streams of a database that comes back do not all ask at once.
 *
 * @param random from 0 to 1
 */
export function backoffMs(failures: number, random: number = Math.random()): number {
  const ceiling = Math.min(LONGEST_BACKOFF_MS, FIRST_MS * 2 ** Math.min(failures, 20));
  return Math.round(ceiling * (0.5 + random / 2));
}
