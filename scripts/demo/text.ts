/*
 * Numbers for people.
 */

export function count(n: number): string {
  return n.toLocaleString("en");
}

/** With the word in its right number. */
export function counted(n: number, word: string): string {
  return `${count(n)} ${word}${n === 1 ? "" : "s"}`;
}

export function perSecond({ events, ms }: { readonly events: number; readonly ms: number }): number {
  return Math.round(events / (Math.max(ms, 1) / 1_000));
}

export function rate(pace: { readonly events: number; readonly ms: number }): string {
  return `${count(perSecond(pace))} events/s`;
}
