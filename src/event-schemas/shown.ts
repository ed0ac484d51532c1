/** Longest text of a schema or a payload that a message repeats. */
const MAX_SHOWN = 100;

/** A text for a message, cut when it is long. */
export function shown(text: string): string {
  return text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}…`;
}
