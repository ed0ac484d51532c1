import type { AgentErrorCode } from "../errors.ts";

/**
 * How the command ends.
 *
 * - `done`: all is as it should be
 * - `unsound`: something does not verify, or was refused; the same again would end the same way
 * - `usage`: the command was not given what it needs
 * - `unreachable`: no answer, or none but "later"; the same command again may succeed
 * - `conflicts`: events wait to be resolved
 * - `interrupted`: by Ctrl-C or a signal; what was done until then stays
 */
export const EXIT = { done: 0, unsound: 1, usage: 2, unreachable: 3, conflicts: 4, interrupted: 130 } as const;

/** The same for `--help`. */
export const EXIT_HELP = `Exit codes:
    0  done
    1  something does not verify, or was refused: the same again would end the same way
    2  wrong usage
    3  the sequencer cannot be reached, or asks to wait: the same command again may succeed
    4  conflicts wait to be resolved
  130  interrupted: what was done until then stays
`;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** What a person has to look at comes before what another try may cure. */
const GRAVEST_FIRST: readonly ExitCode[] = [
  EXIT.interrupted,
  EXIT.usage,
  EXIT.unsound,
  EXIT.unreachable,
  EXIT.conflicts,
];

/** The one that tells most, where several things went wrong. */
export function gravest(codes: readonly ExitCode[]): ExitCode {
  return GRAVEST_FIRST.find((code) => codes.includes(code)) ?? EXIT.done;
}

export function exitCodeOf(code: AgentErrorCode): ExitCode {
  switch (code) {
    case "UNREACHABLE":
    case "TIMEOUT":
    case "BUSY":
    case "NOT_YET_SEALED":
      return EXIT.unreachable;
    case "ABORTED":
      return EXIT.interrupted;
    case "INVALID_OPTIONS":
      return EXIT.usage;
    default:
      return EXIT.unsound;
  }
}
