/**
 * A bounded cache of one isolate: values are used for a time given at each look-up, and the oldest entry goes first. A
 * failed load is not kept. Promises are not shared between requests, which workerd forbids.
 */
export class ExpiringCache<Value> {
  readonly #maxEntries: number;
  readonly #entries = new Map<string, { readonly loadedAt: number; readonly value: Value }>();

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  async get(key: string, maxAgeMs: number, load: () => Promise<Value>): Promise<Value> {
    const entry = this.#entries.get(key);
    if (entry !== undefined && Date.now() - entry.loadedAt < maxAgeMs) return entry.value;
    // The age counts from before the question: what is answered may have changed right after.
    const loadedAt = Date.now();
    const value = await load();
    this.#entries.delete(key);
    this.#entries.set(key, { loadedAt, value });
    if (this.#entries.size > this.#maxEntries) {
      const [oldest] = this.#entries.keys();
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
    return value;
  }
}
