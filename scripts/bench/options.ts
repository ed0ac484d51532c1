import { parseArgs } from "node:util";

export const SECTION_IDS = ["A", "B", "C", "D", "E", "F"] as const;
export type SectionId = (typeof SECTION_IDS)[number];

export interface Options {
  readonly help: boolean;
  readonly quick: boolean;
  readonly check: boolean;
  readonly seconds: number;
  readonly json: string | null;
  readonly only: readonly SectionId[];
}

/** The command line cannot be understood. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

const MAX_SECONDS = 60;

/** @throws UsageError */
export function parseOptions(args: readonly string[]): Options {
  const values = parse(args);
  const quick = values.quick ?? false;
  return {
    help: values.help ?? false,
    quick,
    check: values.check ?? false,
    seconds: secondsOf(values.seconds ?? (quick ? "0.7" : "3")),
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
        json: { type: "string" },
        only: { type: "string" },
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function secondsOf(text: string): number {
  const seconds = Number(text);
  if (seconds > 0 && seconds <= MAX_SECONDS) return seconds;
  throw new UsageError(`--seconds must be more than 0 and at most ${MAX_SECONDS}, not ${text}`);
}

function sectionsOf(text: string | undefined): readonly SectionId[] {
  if (text === undefined) return SECTION_IDS;
  const wanted = text.split(",").map((part) => part.trim().toUpperCase());
  const unknown = wanted.find((id) => !SECTION_IDS.some((known) => known === id));
  if (unknown !== undefined) throw new UsageError(`--only takes sections of ${SECTION_IDS.join(",")}, not ${unknown}`);
  return SECTION_IDS.filter((id) => wanted.includes(id));
}
