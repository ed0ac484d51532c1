import { type CounterName, type COUNTERS, HISTOGRAMS, type HistogramName, type LabelsOf } from "./catalogue.ts";
import { Delivery, type Lifetime } from "./delivery.ts";
import { seriesName, type SeriesNumbers, SeriesTable } from "./series-table.ts";

/** What one recorder has counted since the piece before. */
export interface Piece {
  /** Names the recorder among all. */
  readonly recorder: string;
  /** 1, 2, 3 …: a piece that arrives again is known by it, and counts once. */
  readonly number: number;
  readonly series: SeriesNumbers;
}

/** Delivers a piece. It may be called again with the same one. */
export type SendPiece = (piece: Piece) => Promise<void>;

/**
 * Counts what happens in one isolate, until it is delivered. Recording is adding numbers in memory. A piece is kept until
 * it was surely delivered, and sent again under its number otherwise, so that nothing counts twice.
 */
export class Recorder {
  readonly #table = new SeriesTable();
  /** Made when it is first needed: an isolate may not make random numbers while it starts. */
  #name: string | null = null;
  #pieces = 0;
  /** Sent, and not known to have arrived. */
  #unacknowledged: Piece | null = null;
  #send: SendPiece = () => Promise.resolve();
  readonly #delivery = new Delivery(() => this.deliver(this.#send));

  count<Name extends CounterName>(name: Name, labels: LabelsOf<(typeof COUNTERS)[Name]>, by: number = 1): void {
    if (by > 0) this.#table.add(seriesName(name, labels), [by]);
  }

  observe<Name extends HistogramName>(name: Name, labels: LabelsOf<(typeof HISTOGRAMS)[Name]>, value: number): void {
    const { buckets } = HISTOGRAMS[name];
    const numbers = Array.from({ length: buckets.length + 2 }, () => 0);
    const bucket = buckets.findIndex((bound) => value <= bound);
    numbers[bucket === -1 ? buckets.length : bucket] = 1;
    numbers[buckets.length + 1] = value;
    this.#table.add(seriesName(name, labels), numbers);
  }

  /** Observes the seconds since `startedAt`, which is in milliseconds since the epoch. */
  observeSince<Name extends HistogramName>(
    name: Name,
    labels: LabelsOf<(typeof HISTOGRAMS)[Name]>,
    startedAt: number,
  ): void {
    this.observe(name, labels, (Date.now() - startedAt) / 1_000);
  }

  /** Sees to it that what was recorded is delivered within about a second; nothing is where `send` is null. */
  deliverSoon(lifetime: Lifetime, send: SendPiece | null): void {
    if (send === null || (this.#table.isEmpty && this.#unacknowledged === null)) return;
    this.#send = send;
    this.#delivery.soon(lifetime);
  }

  /** Delivers everything that was recorded so far. @throws what `send` throws; what was not delivered is kept */
  async deliver(send: SendPiece): Promise<void> {
    // One that was sent before goes first: pieces are told apart by numbers that rise.
    if (this.#unacknowledged !== null) await this.#deliverPiece(this.#unacknowledged, send);
    if (this.#unacknowledged === null && !this.#table.isEmpty) {
      this.#name ??= crypto.randomUUID();
      this.#unacknowledged = { recorder: this.#name, number: ++this.#pieces, series: this.#table.take() };
      await this.#deliverPiece(this.#unacknowledged, send);
    }
  }

  async #deliverPiece(piece: Piece, send: SendPiece): Promise<void> {
    await send(piece);
    if (this.#unacknowledged === piece) this.#unacknowledged = null;
  }
}

/** This isolate's. */
export const recorder = new Recorder();
