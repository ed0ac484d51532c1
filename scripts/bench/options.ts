import { parseArgs } from "node:util";

export const SECTION_IDS = ["A", "B", "C", "D", "E", "F", "G", "H", "I", "J"] as const;
export type SectionId = (typeof SECTION_IDS)[number];

export interface Options {
  readonly help: boolean;
  readonly quick: boolean;
  readonly check: boolean;
  readonly seconds: number;
  /** Of the long run of the mirror. */
  readonly mirrorSeconds: number;
  readonly json: string | null;
  readonly only: readonly SectionId[];
}

/** The command line cannot be understood. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

const MAX_SECONDS = 60;
/** All of its events are signed before it begins, and wait in memory. */
const MAX_MIRROR_SECONDS = 300;

/** @throws UsageError */
export function parseOptions(args: readonly string[]): Options {
  const values = parse(args);
  const quick = values.quick ?? false;
  return {
    help: values.help ?? false,
    quick,
    check: values.check ?? false,
    seconds: secondsOf("seconds", values.seconds ?? (quick ? "0.7" : "3"), MAX_SECONDS),
    mirrorSeconds: secondsOf("mirror-seconds", values["mirror-seconds"] ?? (quick ? "15" : "60"), MAX_MIRROR_SECONDS),
    json: values.json ?? null,
    only: sectionsOf(values.only),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        help: { type: "boolean", short: "h" },
        quick: { type: "boolean" },
        check: { type: "boolean" },
        seconds: { type: "string" },
        "mirror-seconds": { type: "string" },
        json: { type: "string" },
        only: { type: "string" },
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function secondsOf(option: string, text: string, most: number): number {
  const seconds = Number(text);
  if (seconds > 0 && seconds <= most) return seconds;
  throw new UsageError(`--${option} must be more than 0 and at most ${most}, not ${text}`);
}

function sectionsOf(text: string | undefined): readonly SectionId[] {
  if (text === undefined) return SECTION_IDS;
  const wanted = text.split(",").map((part) => part.trim().toUpperCase());
  const unknown = wanted.find((id) => !SECTION_IDS.some((known) => known === id));
  if (unknown !== undefined) throw new UsageError(`--only takes sections of ${SECTION_IDS.join(",")}, not ${unknown}`);
  return SECTION_IDS.filter((id) => wanted.includes(id));
}
