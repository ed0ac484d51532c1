/*
 * Numbers for people.
 */

export function count(n: number): string {
  return n.toLocaleString("en");
}

/** With the word in its right number. */
export function counted(n: number, word: string): string {
  return `${count(n)} ${n === 1 ? word : plural(word)}`;
}

function plural(word: string): string {
  if (word.endsWith("ch")) return `${word}es`;
  return /[^aeiou]y$/.test(word) ? `${word.slice(0, -1)}ies` : `${word}s`;
}

export function perSecond({ events, ms }: { readonly events: number; readonly ms: number }): number {
  return Math.round(events / (Math.max(ms, 1) / 1_000));
}

export function rate(pace: { readonly events: number; readonly ms: number }): string {
  return `${count(perSecond(pace))} events/s`;
}
