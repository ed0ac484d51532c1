/** Parts into which a window is cut. A use is forgotten a part late at most, and never early. */
const SLICES = 60;

/** What became of one attempt to use some of a limit. */
export interface Taken {
  readonly allowed: boolean;
  /** What is left of the limit, whether or not this was allowed. */
  readonly remaining: number;
  /** Milliseconds until the oldest use is forgotten; after a refusal, until an attempt of that cost fits. */
  readonly resetMs: number;
}

/** One limit for each of many keys: how much of it may be used, in any stretch of time as long as the window. */
export interface Limit {
  readonly amount: number;
  readonly windowSeconds: number;
}

interface Uses {
  /** The slices in which something was used, oldest first, and how much. At most SLICES + 1. */
  readonly slices: Map<number, number>;
  readonly sliceMs: number;
}

/**
 * Counts uses by key, each of its own limit, exactly: in no stretch of time as long as the window is more than the limit
 * allowed. What is refused counts for nothing. It holds no more keys than it was made for; beyond that the one that was
 * used least lately is forgotten first, so who has many keys can only push out others by using them all again and again.
 */
export class SlidingWindow {
  readonly #maxKeys: number;
  /** In the order of their last use. */
  readonly #uses = new Map<string, Uses>();

  constructor(maxKeys: number) {
    this.#maxKeys = maxKeys;
  }

  /** Keys of which something still counts, or did at the last {@link forget}. */
  get size(): number {
    return this.#uses.size;
  }

  /** @param now milliseconds since the epoch, never less than before */
  take(key: string, limit: Limit, cost: number, now: number): Taken {
    const uses = this.#usesOf(key, limit, now);
    const used = sum(uses.slices.values());
    const allowed = used + cost <= limit.amount;
    if (allowed) this.#use(key, uses, cost, now);
    const remaining = Math.max(0, limit.amount - used - (allowed ? cost : 0));
    const freeAt = whenFree(uses, allowed ? 1 : used + cost - limit.amount);
    return { allowed, remaining, resetMs: freeAt - now };
  }

  /** What is left of the key's limit. */
  left(key: string, limit: Limit, now: number): number {
    return Math.max(0, limit.amount - sum(this.#usesOf(key, limit, now).slices.values()));
  }

  /** Uncounts what was taken at `takenAt` and was not used, as far as it still counts. */
  giveBack(key: string, { windowSeconds }: Limit, cost: number, takenAt: number): void {
    const uses = this.#uses.get(key);
    if (uses?.sliceMs !== sliceMsOf(windowSeconds)) return;
    const slice = Math.floor(takenAt / uses.sliceMs);
    const used = uses.slices.get(slice) ?? 0;
    if (used > cost) uses.slices.set(slice, used - cost);
    else uses.slices.delete(slice);
  }

  /** Drops the keys of which nothing counts any more. */
  forget(now: number): void {
    for (const [key, uses] of this.#uses) {
      forgetOld(uses, now);
      if (uses.slices.size === 0) this.#uses.delete(key);
    }
  }

  #usesOf(key: string, { windowSeconds }: Limit, now: number): Uses {
    const sliceMs = sliceMsOf(windowSeconds);
    const known = this.#uses.get(key);
    // Under another window the slices mean other times: the count begins anew.
    const uses = known?.sliceMs === sliceMs ? known : { slices: new Map<number, number>(), sliceMs };
    forgetOld(uses, now);
    return uses;
  }

  #use(key: string, uses: Uses, cost: number, now: number): void {
    const slice = Math.floor(now / uses.sliceMs);
    uses.slices.set(slice, (uses.slices.get(slice) ?? 0) + cost);
    this.#uses.delete(key);
    this.#uses.set(key, uses);
    if (this.#uses.size <= this.#maxKeys) return;
    const [leastLately] = this.#uses.keys();
    if (leastLately !== undefined) this.#uses.delete(leastLately);
  }
}

/**
 * How long from now the present slice of a window goes on. Whatever is used until then counts for a whole window at least, as
 * what is used now does.
 */
export function restOfSliceMs(windowSeconds: number, now: number): number {
  const sliceMs = sliceMsOf(windowSeconds);
  return (Math.floor(now / sliceMs) + 1) * sliceMs - now;
}

function sliceMsOf(windowSeconds: number): number {
  return (windowSeconds * 1_000) / SLICES;
}

/** When what was used in the slice stops to count: a whole window after its last moment. */
function endOf(slice: number, { sliceMs }: Uses): number {
  return (slice + 1 + SLICES) * sliceMs;
}

function forgetOld(uses: Uses, now: number): void {
  for (const slice of uses.slices.keys()) {
    if (endOf(slice, uses) > now) return;
    uses.slices.delete(slice);
  }
}

/** When so much of what is used now will be forgotten. More than all of it never is: then, when all is. */
function whenFree(uses: Uses, amount: number): number {
  let freed = 0;
  let at = 0;
  for (const [slice, used] of uses.slices) {
    freed += used;
    at = endOf(slice, uses);
    if (freed >= amount) break;
  }
  return at;
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
