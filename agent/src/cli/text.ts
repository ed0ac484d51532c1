import { styleText } from "node:util";
import type { JsonValue } from "../../../src/ves/index.ts";

/*
 * What is shown on a terminal. Names, payloads and messages were written by other agents and by the sequencer: whatever a
 * terminal would obey is replaced.
 */

/** Without control characters, and without what turns the direction of writing round. */
export function plain(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Bidi_Control}]/gu, "\u{fffd}");
}

const COLOURS = { good: "green", odd: "yellow", bad: "red", faint: "dim" } as const;

/** Coloured on standard output where that is a terminal and NO_COLOR is not set. Colour is not made {@link plain}. */
export function coloured(tone: keyof typeof COLOURS, text: string): string {
  return styleText(COLOURS[tone], text, { stream: process.stdout });
}

/** Rows with their columns under each other, two spaces apart; cells are made plain. */
export function columns(rows: readonly (readonly string[])[]): string {
  const clean = rows.map((row) => row.map(plain));
  const widths = clean.reduce<number[]>((all, row) => row.map((cell, i) => Math.max(cell.length, all[i] ?? 0)), []);
  return clean
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Each line further to the right. */
export function indented(text: string): string {
  return text.replaceAll(/^/gm, "  ");
}

const SHOWN_CHARACTERS = 60;

export function shortJson(value: JsonValue): string {
  const text = JSON.stringify(value);
  return text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS - 1)}…`;
}

export function lines(...all: readonly (string | null)[]): string {
  return all.flatMap((line) => (line === null ? [] : [`${line}\n`])).join("");
}

/** @param ms milliseconds */
export function duration(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}
