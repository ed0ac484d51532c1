import { isRfc3339, parseUuid } from "../ves/index.ts";

/**
 * The values of `format` that are checked. JSON Schema leaves it open which are: all others say something to people only.
 * Each takes time that grows with the length of the text at most.
 */
export const FORMATS: ReadonlyMap<string, (text: string) => boolean> = new Map([
  ["date-time", isRfc3339],
  ["date", (text) => isRfc3339(`${text}T00:00:00Z`)],
  ["email", (text) => /^[^\s@]{1,64}@[^\s@]{1,255}$/u.test(text)],
  ["uuid", (text) => text.length === 36 && parseUuid(text) !== undefined],
  ["uri", (text) => /^[a-z][a-z0-9+.-]*:/i.test(text) && URL.canParse(text)],
]);
