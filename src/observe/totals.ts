import type { Piece } from "./recorder.ts";
import { type SeriesNumbers, SeriesTable } from "./series-table.ts";

/** Recorders that are remembered: the one that was heard of least lately is forgotten first. */
const MAX_RECORDERS = 2_000;

/** Everything that has been counted, as it is stored. */
export interface StoredTotals {
  readonly series: SeriesNumbers;
  /** By recorder, the number of its last piece; in the order in which they were last heard of. */
  readonly recorders: readonly (readonly [recorder: string, number: number])[];
}

/** Adds up the pieces of all recorders, each once. */
export class Totals {
  readonly #table: SeriesTable;
  readonly #recorders: Map<string, number>;

  constructor(stored: StoredTotals = { series: {}, recorders: [] }) {
    this.#table = new SeriesTable(stored.series);
    this.#recorders = new Map(stored.recorders);
  }

  /** False for a piece that is in already. */
  add({ recorder, number, series }: Piece): boolean {
    const last = this.#recorders.get(recorder) ?? 0;
    if (number <= last) return false;
    this.#recorders.delete(recorder);
    this.#recorders.set(recorder, number);
    if (this.#recorders.size > MAX_RECORDERS) {
      const [leastLately] = this.#recorders.keys();
      if (leastLately !== undefined) this.#recorders.delete(leastLately);
    }
    this.#table.merge(series);
    return true;
  }

  /** Adds what is counted here and comes in no piece. */
  count(series: string, by: number): void {
    this.#table.add(series, [by]);
  }

  read(): SeriesNumbers {
    return this.#table.read();
  }

  toStored(): StoredTotals {
    return { series: this.read(), recorders: [...this.#recorders] };
  }
}
