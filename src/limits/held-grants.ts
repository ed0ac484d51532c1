import type { Grant, GrantRequest, NamedLimit } from "./grant.ts";

/** Buckets that an isolate remembers. One that is forgotten is asked about again. */
const MAX_BUCKETS = 10_000;

/** Part of the smallest limit that an isolate holds in advance at most: 5 %. */
const MAX_SHARE = 1 / 20;

/** How long the answer to a question about uses in advance is waited for before another asks for some. */
const ANSWER_MS = 1_000;

/** How long requests pass unasked when the object did not answer. */
const UNASKED_MS = 1_000;

/** How a limit stands, as told to who makes a request. */
export interface Standing {
  readonly isAllowed: boolean;
  readonly limit: NamedLimit;
  readonly remaining: number;
  /** As {@link Grant.resetMs}, from now. */
  readonly resetMs: number;
}

/** What is known of one bucket: of those requests that count for the same limits. Times are of this isolate's clock. */
interface Bucket {
  /** Uses in hand, when the object counted them, and until when they may be made. */
  uses: number;
  takenAt: number;
  validUntil: number;
  /** Uses that the last grant gave in advance. */
  inAdvance: number;
  /** While the answer about uses in advance is waited for, nobody else asks for some. */
  askingUntil: number;
  refusedUntil: number;
  unaskedUntil: number;
  tightest: number;
  remaining: number;
  resetAt: number;
}

/**
 * What one isolate has been granted and refused. It decides without a question as long as it has uses in hand, or knows that
 * nothing is left. How many uses it asks for in advance follows from how many it made of the last grant: who asks once in a
 * while takes none from the others. Nothing in here waits: {@link use} may give a question, and its answer goes to
 * {@link settle} or {@link unanswered}.
 */
export class HeldGrants {
  /** In the order of their last question. */
  readonly #buckets = new Map<string, Bucket>();

  /**
   * One use of the limits. Null: it passes uncounted, because the object did not answer a moment ago.
   *
   * @param name of the bucket; the same one has the same limits
   */
  use(name: string, limits: readonly NamedLimit[], now: number): Standing | GrantRequest | null {
    const bucket = this.#buckets.get(name) ?? newBucket();
    if (bucket.uses > 0 && now < bucket.validUntil) {
      bucket.uses--;
      return standing(bucket, limits, true, now);
    }
    if (now < bucket.refusedUntil) return standing(bucket, limits, false, now);
    if (now < bucket.unaskedUntil) return null;
    this.#keep(name, bucket);
    return question(bucket, limits, now);
  }

  /** Takes the answer to a question that was asked at `askedAt`. @returns what became of the use that led to it */
  settle(
    name: string,
    { limits, uses: wanted }: GrantRequest,
    grant: Grant,
    { askedAt, now }: { readonly askedAt: number; readonly now: number },
  ): Standing {
    const bucket = this.#buckets.get(name) ?? newBucket();
    bucket.tightest = grant.tightest;
    bucket.remaining = grant.remaining;
    bucket.resetAt = now + grant.resetMs;
    const isAllowed = grant.uses > 0;
    if (!isAllowed) bucket.refusedUntil = bucket.resetAt;
    if (wanted > 1) {
      bucket.uses = bucket.inAdvance = Math.max(0, grant.uses - 1);
      bucket.takenAt = grant.takenAt;
      bucket.askingUntil = 0;
    }
    if (wanted > 1 || bucket.uses === 0) bucket.validUntil = askedAt + grant.validMs;
    return standing(bucket, limits, isAllowed, now);
  }

  /** The object could not be asked: the next requests pass without a question for a moment. */
  unanswered(name: string, now: number): void {
    const bucket = this.#buckets.get(name);
    if (bucket !== undefined) bucket.unaskedUntil = now + UNASKED_MS;
  }

  #keep(name: string, bucket: Bucket): void {
    this.#buckets.delete(name);
    this.#buckets.set(name, bucket);
    if (this.#buckets.size <= MAX_BUCKETS) return;
    const [leastLately] = this.#buckets.keys();
    if (leastLately !== undefined) this.#buckets.delete(leastLately);
  }
}

function newBucket(): Bucket {
  return {
    uses: 0,
    takenAt: 0,
    validUntil: 0,
    inAdvance: 0,
    askingUntil: 0,
    refusedUntil: 0,
    unaskedUntil: 0,
    tightest: 0,
    remaining: 0,
    resetAt: 0,
  };
}

function question(bucket: Bucket, limits: readonly NamedLimit[], now: number): GrantRequest {
  const unused = bucket.uses > 0 ? { uses: bucket.uses, takenAt: bucket.takenAt } : null;
  bucket.uses = 0;
  if (now < bucket.askingUntil) return { limits, uses: 1, unused };
  // What was used up before its time was too few.
  const isUsedUp = now < bucket.validUntil;
  const needed = isUsedUp ? bucket.inAdvance * 2 + 1 : bucket.inAdvance - (unused?.uses ?? 0);
  const most = Math.floor(Math.min(...limits.map(({ amount }) => amount)) * MAX_SHARE);
  const inAdvance = Math.min(needed, most);
  if (inAdvance > 0) bucket.askingUntil = now + ANSWER_MS;
  else bucket.inAdvance = 0;
  return { limits, uses: 1 + inAdvance, unused };
}

function standing(bucket: Bucket, limits: readonly NamedLimit[], isAllowed: boolean, now: number): Standing {
  const limit = limits[bucket.tightest];
  if (limit === undefined) throw new RangeError("a bucket has other limits than it was granted by");
  return { isAllowed, limit, remaining: bucket.remaining + bucket.uses, resetMs: Math.max(0, bucket.resetAt - now) };
}
