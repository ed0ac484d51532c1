/** A bounded cache of one isolate: a value is used for a time given at each look-up, and the oldest entry goes first. */
export class ExpiringCache<Value> {
  readonly #maxEntries: number;
  readonly #entries = new Map<string, { readonly loadedAt: number; readonly value: Value }>();

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  get(key: string, maxAgeMs: number): Value | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && Date.now() - entry.loadedAt < maxAgeMs ? entry.value : undefined;
  }

  /** @param loadedAt milliseconds since the epoch: when the value was surely still true */
  set(key: string, value: Value, loadedAt: number): void {
    this.#entries.delete(key);
    this.#entries.set(key, { loadedAt, value });
    if (this.#entries.size <= this.#maxEntries) return;
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.#entries.delete(oldest);
  }
}
