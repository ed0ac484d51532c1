/** Long polls beyond this many are answered at once with what there is. */
const MAX_WAITING_READERS = 1_000;

interface WaitingReader {
  readonly sequenceNumber: number;
  readonly stop: () => void;
}

/** The readers of one stream that wait for its next event. They are held in memory only: a reader that is lost asks again. */
export class WaitingReaders {
  readonly #readers = new Set<WaitingReader>();

  /** Settles when there is an event with this number, or `waitMs` have passed; at once when too many wait already. */
  wait(sequenceNumber: number, waitMs: number): Promise<void> {
    if (this.#readers.size >= MAX_WAITING_READERS) return Promise.resolve();
    return new Promise((resolve) => {
      const stop = (): void => {
        clearTimeout(timer);
        this.#readers.delete(reader);
        resolve();
      };
      const reader = { sequenceNumber, stop };
      const timer = setTimeout(stop, waitMs);
      this.#readers.add(reader);
    });
  }

  /** Wakes those whose event is there. The head is asked for only when somebody waits. */
  wake(readHead: () => number): void {
    if (this.#readers.size === 0) return;
    const head = readHead();
    for (const reader of this.#readers) if (reader.sequenceNumber <= head) reader.stop();
  }
}
