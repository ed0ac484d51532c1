import type { CounterName } from "./catalogue.ts";

/**
 * Numbers by series: the metric's name and its labels, as `name{label="value"}`. A counter is one number; a histogram is how
 * many values each bucket has, and last the sum of all values. Series are merged by adding number to number.
 */
export type SeriesNumbers = Readonly<Record<string, readonly number[]>>;

/** Sets of labels that are told apart. All routes with all their statuses are some 600. */
export const MAX_SERIES = 1_000;

const OVERFLOW: CounterName = "sequencer_metrics_cardinality_overflow";

/** Holds a bounded number of series: what would be one more is dropped, and counted. */
export class SeriesTable {
  readonly #max: number;
  #numbers = new Map<string, number[]>();

  constructor(initial: SeriesNumbers = {}, max: number = MAX_SERIES) {
    this.#max = max;
    for (const [series, numbers] of Object.entries(initial)) this.#numbers.set(series, [...numbers]);
  }

  get isEmpty(): boolean {
    return this.#numbers.size === 0;
  }

  /** Adds to a series' numbers. Where their count differs, the metric's buckets were changed: it begins anew. */
  add(series: string, added: readonly number[]): void {
    const numbers = this.#numbers.get(series);
    if (numbers?.length === added.length)
      added.forEach((value, index) => (numbers[index] = (numbers[index] ?? 0) + value));
    else if (numbers !== undefined || this.#numbers.size < this.#max) this.#numbers.set(series, [...added]);
    else this.#overflow();
  }

  merge(series: SeriesNumbers): void {
    for (const [name, numbers] of Object.entries(series)) this.add(name, numbers);
  }

  read(): SeriesNumbers {
    return Object.fromEntries(this.#numbers);
  }

  /** What it holds, and leaves it empty. */
  take(): SeriesNumbers {
    const taken = this.read();
    this.#numbers = new Map();
    return taken;
  }

  #overflow(): void {
    const [dropped = 0] = this.#numbers.get(OVERFLOW) ?? [];
    this.#numbers.set(OVERFLOW, [dropped + 1]);
  }
}

/** A series' name in its one spelling: labels in the order given. */
export function seriesName(metric: string, labels: Readonly<Record<string, string | number>>): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${escaped(String(value))}"`);
  return pairs.length === 0 ? metric : `${metric}{${pairs.join(",")}}`;
}

function escaped(value: string): string {
  return value.replace(/[\\"\n]/g, (character) => (character === "\n" ? "\\n" : `\\${character}`));
}
