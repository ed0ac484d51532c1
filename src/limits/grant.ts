import { type Limit, restOfSliceMs, type SlidingWindow } from "./sliding-window.ts";

/** A limit, and the key that its uses are counted under. */
export interface NamedLimit extends Limit {
  readonly key: string;
}

/** What one isolate asks the object that counts. */
export interface GrantRequest {
  /** Every use counts for all of them. One at least. */
  readonly limits: readonly NamedLimit[];
  /** Fewer are granted where the limits have fewer left. */
  readonly uses: number;
  /** Uses of an earlier grant by the same limits that nobody will make any more. */
  readonly unused: { readonly uses: number; readonly takenAt: number } | null;
}

/** Uses that are counted already, to be made by the isolate that asked and by no other. */
export interface Grant {
  /** 0: refused. */
  readonly uses: number;
  /** When they were counted, by the clock of the object. */
  readonly takenAt: number;
  /** How long they may be made, in milliseconds from the question. */
  readonly validMs: number;
  /** Index of the limit that has least left; after a refusal, of the one that is the last to have something left again. */
  readonly tightest: number;
  /** Of that limit. */
  readonly remaining: number;
  /** Of that limit: milliseconds until its oldest use is forgotten; after a refusal, until a use fits. */
  readonly resetMs: number;
}

/**
 * Counts as many uses as all limits have left, up to those that are wanted. They may be made until the slice in which they
 * are counted ends: until then they count for a whole window at least, so that uses in advance exceed no limit.
 *
 * @param now milliseconds since the epoch, never less than before
 */
export function grantUses(window: SlidingWindow, { limits, uses, unused }: GrantRequest, now: number): Grant {
  if (unused !== null) for (const limit of limits) window.giveBack(limit.key, limit, unused.uses, unused.takenAt);
  const left = limits.map((limit) => window.left(limit.key, limit, now));
  const granted = Math.min(uses, ...left);
  const standings = limits.flatMap((limit, index) => {
    // A limit that has nothing left refuses, counts nothing and says when it has something. The others are not asked then.
    if (granted === 0 && left[index] !== 0) return [];
    return [{ index, ...window.take(limit.key, limit, Math.max(1, granted), now) }];
  });
  const [tightest] = standings.toSorted((a, b) => a.remaining - b.remaining || b.resetMs - a.resetMs);
  if (tightest === undefined) throw new RangeError("a grant is asked for by no limit");
  return {
    uses: granted,
    takenAt: now,
    validMs: Math.min(...limits.map(({ windowSeconds }) => restOfSliceMs(windowSeconds, now))),
    tightest: tightest.index,
    remaining: tightest.remaining,
    resetMs: tightest.resetMs,
  };
}
