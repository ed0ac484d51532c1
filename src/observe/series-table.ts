import type { CounterName } from "./catalogue.ts";

/**
 * Numbers by series: the metric's name and its labels, as `name{label="value"}`. A counter is one number; a histogram is how
 * many values each bucket has, and last the sum of all values. Series are merged by adding number to number.
 */
export type SeriesNumbers = Readonly<Record<string, readonly number[]>>;

/** Sets of labels of one metric that are told apart: whatever is sent, no metric takes another's place. */
export const MAX_SERIES_OF_A_METRIC = 1_000;

const OVERFLOW: CounterName = "sequencer_metrics_cardinality_overflow";

/** Holds a bounded number of series of each metric: what would be one more is dropped, and counted. */
export class SeriesTable {
  readonly #max: number;
  #numbers = new Map<string, number[]>();
  /** How many series there are of each metric. */
  #counts = new Map<string, number>();

  constructor(initial: SeriesNumbers = {}, max: number = MAX_SERIES_OF_A_METRIC) {
    this.#max = max;
    for (const [series, numbers] of Object.entries(initial)) this.#begin(series, numbers);
  }

  get isEmpty(): boolean {
    return this.#numbers.size === 0;
  }

  /** Adds to a series' numbers. Where their count differs, the metric's buckets were changed: it begins anew. */
  add(series: string, added: readonly number[]): void {
    const numbers = this.#numbers.get(series);
    if (numbers?.length === added.length)
      added.forEach((value, index) => (numbers[index] = (numbers[index] ?? 0) + value));
    else if (numbers !== undefined) this.#numbers.set(series, [...added]);
    else if ((this.#counts.get(metricOf(series)) ?? 0) < this.#max) this.#begin(series, added);
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
    this.#counts = new Map();
    return taken;
  }

  #begin(series: string, numbers: readonly number[]): void {
    const metric = metricOf(series);
    this.#numbers.set(series, [...numbers]);
    this.#counts.set(metric, (this.#counts.get(metric) ?? 0) + 1);
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

export function metricOf(series: string): string {
  const [metric = ""] = series.split("{", 1);
  return metric;
}

function escaped(value: string): string {
  return value.replace(/[\\"\n]/g, (character) => (character === "\n" ? "\\n" : `\\${character}`));
}
