import { UNREAD_VARIABLES } from "../../src/unread-variables.ts";
import type { Variables } from "./local-server.ts";
import { nearest } from "./nearest.ts";
import { VARIABLES } from "./variables.ts";

const KNOWN = Object.values(VARIABLES).flatMap((variables) => variables.map(({ name }) => name));

/** Wrangler reads .dev.vars too. */
const WRANGLERS = /^(CLOUDFLARE|WRANGLER)_/;
/** Shorter words of the environment resemble ours by chance. */
const OF_TWO_WORDS = /^[A-Z\d]{2,}_[A-Z\d_]{2,}$/;

/**
 * Sentences about variables that somebody set and nobody reads: in .dev.vars all of them, since it is there for this server
 * only; in the environment those that are most likely slips of ours.
 */
export function nameWarnings(devVars: Variables, environment: Variables): string[] {
  const strange = (names: Variables): string[] => Object.keys(names).filter((name) => !KNOWN.includes(name));
  const inFile = strange(devVars).filter((name) => !WRANGLERS.test(name));
  const slips = strange(environment).filter(
    (name) => OF_TWO_WORDS.test(name) && insteadOf(name) === undefined && question(name) !== undefined,
  );
  return [
    ...inFile.map((name) => `.dev.vars: ${name} is not read${insteadOf(name) ?? question(name) ?? "."}`),
    ...slips.map((name) => `The environment's ${name} is not read${question(name)}`),
  ];
}

function insteadOf(name: string): string | undefined {
  const group = UNREAD_VARIABLES.find(({ names }) => names.includes(name));
  return group && `: ${group.instead}.`;
}

function question(name: string): string | undefined {
  const near = nearest(name, KNOWN);
  return near && `. Is ${near} meant?`;
}
