import { styleText } from "node:util";
import { count, rate } from "./text.ts";

/** Tells how far the work is. One thing is worked on at a time. */
export interface Progress {
  /** A step without a length. */
  readonly start: (doing: string) => void;
  /** A step of so many events. */
  readonly startEvents: (doing: string, total: number) => void;
  readonly advance: (events: number) => void;
  /** Something worth telling, in the middle of a step. */
  readonly note: (text: string) => void;
  /** The step is done: its name, what was done, and its pace if it has one. */
  readonly done: (name: string, what: string, pace?: { readonly events: number; readonly ms: number }) => void;
  /** The step failed: leaves a clean line. */
  readonly clear: () => void;
}

const BAR_WIDTH = 28;
const REDRAW_MS = 50;
const SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";
const NAME_WIDTH = 10;

export const silentProgress: Progress = {
  start: () => undefined,
  startEvents: () => undefined,
  advance: () => undefined,
  note: () => undefined,
  done: () => undefined,
  clear: () => undefined,
};

/** Redraws one line on a terminal; anywhere else it only ever adds lines. */
export function textProgress(stream: NodeJS.WriteStream): Progress {
  let step: { doing: string; total: number; done: number } | undefined;
  let drawn = false;
  let frame = 0;
  let timer: NodeJS.Timeout | undefined;
  const colour: Colour = (format, text) => styleText(format, text, { stream });

  const clear = (): void => {
    if (drawn) stream.write("\r\x1b[K");
    drawn = false;
  };
  const draw = (): void => {
    if (!stream.isTTY || step === undefined) return;
    const { doing, total, done } = step;
    const spinner = SPINNER.charAt(frame++ % SPINNER.length);
    const length = total === 0 ? "" : `${bar(done / total, colour)} ${count(done)} of ${count(total)}`;
    stream.write(`\r\x1b[K  ${colour("cyan", spinner)} ${doing.padEnd(NAME_WIDTH)} ${length}`);
    drawn = true;
  };
  const begin = (doing: string, total: number): void => {
    step = { doing, total, done: 0 };
    draw();
    // It does not keep the program alive.
    if (stream.isTTY) timer ??= setInterval(draw, REDRAW_MS).unref();
  };
  const write = (line: string): void => {
    clear();
    stream.write(`${line}\n`);
  };

  return {
    start: (doing) => begin(doing, 0),
    startEvents: begin,
    advance: (events) => {
      if (step !== undefined) step.done += events;
    },
    note: (text) => {
      write(colour("dim", `    ${text}`));
      draw();
    },
    done: (name, what, pace) => {
      step = undefined;
      const speed = pace === undefined ? "" : colour("dim", `  ${rate(pace)}`);
      write(`  ${colour("green", "✔")} ${name.padEnd(NAME_WIDTH)} ${what}${speed}`);
    },
    clear: () => {
      step = undefined;
      clear();
    },
  };
}

/** Colours where the stream that is written to shows them. */
type Colour = (format: "cyan" | "dim" | "green", text: string) => string;

function bar(share: number, colour: Colour): string {
  const full = Math.round(Math.min(1, share) * BAR_WIDTH);
  return colour("cyan", "━".repeat(full)) + colour("dim", "─".repeat(BAR_WIDTH - full));
}
