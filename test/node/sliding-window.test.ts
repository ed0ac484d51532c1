import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SlidingWindow } from "../../src/limits/sliding-window.ts";

const MINUTE = { amount: 3, windowSeconds: 60 };
const START = 1_790_000_000_000;

describe("a sliding window", () => {
  test("allows the limit, then refuses until the oldest use is a window old", () => {
    const window = new SlidingWindow(10);
    const take = (ms: number) => window.take("a", MINUTE, 1, START + ms);
    expect(take(0)).toEqual({ allowed: true, remaining: 2, resetMs: 61_000 });
    expect(take(10_000)).toEqual({ allowed: true, remaining: 1, resetMs: 51_000 });
    expect(take(20_000)).toEqual({ allowed: true, remaining: 0, resetMs: 41_000 });
    expect(take(20_500)).toEqual({ allowed: false, remaining: 0, resetMs: 40_500 });
    expect(take(59_999)).toEqual({ allowed: false, remaining: 0, resetMs: 1_001 });
    expect(take(61_000)).toEqual({ allowed: true, remaining: 0, resetMs: 10_000 });
    expect(take(61_001)).toEqual({ allowed: false, remaining: 0, resetMs: 9_999 });
  });

  test("counts costs, and says when one that was refused fits", () => {
    const window = new SlidingWindow(10);
    const take = (cost: number, ms: number) => window.take("a", { amount: 10, windowSeconds: 60 }, cost, START + ms);
    expect(take(4, 0)).toMatchObject({ allowed: true, remaining: 6 });
    expect(take(4, 5_000)).toMatchObject({ allowed: true, remaining: 2 });
    expect(take(3, 5_000)).toEqual({ allowed: false, remaining: 2, resetMs: 56_000 });
    expect(take(7, 5_000)).toEqual({ allowed: false, remaining: 2, resetMs: 61_000 });
    expect(take(11, 5_000)).toEqual({ allowed: false, remaining: 2, resetMs: 61_000 });
    expect(take(2, 5_000)).toMatchObject({ allowed: true, remaining: 0 });
    expect(take(3, 61_000)).toMatchObject({ allowed: true, remaining: 1 });
  });

  test("keeps keys apart, and begins anew when a key's window changes", () => {
    const window = new SlidingWindow(10);
    const once = { amount: 1, windowSeconds: 60 };
    expect(window.take("a", once, 1, START).allowed).toBe(true);
    expect(window.take("b", once, 1, START).allowed).toBe(true);
    expect(window.take("a", once, 1, START).allowed).toBe(false);
    expect(window.take("a", { ...once, amount: 2 }, 1, START).allowed).toBe(true);
    expect(window.take("a", { ...once, windowSeconds: 30 }, 1, START).allowed).toBe(true);
  });

  test("holds as many keys as it may, and forgets the one that was used least lately", () => {
    const window = new SlidingWindow(2);
    const once = { amount: 1, windowSeconds: 60 };
    const take = (key: string, limit = once): boolean => window.take(key, limit, 1, START).allowed;
    expect([take("a"), take("b"), take("a", { ...once, amount: 2 }), take("c")]).toEqual([true, true, true, true]);
    expect(window.size).toBe(2);
    expect(take("a")).toBe(false);
    expect(take("b")).toBe(true);
    for (let n = 0; n < 1_000; n++) take(`made up ${n}`);
    expect(window.size).toBe(2);
  });

  test("a refused attempt makes no key, and forget drops those of which nothing counts", () => {
    const window = new SlidingWindow(10);
    window.take("a", MINUTE, 4, START);
    expect(window.size).toBe(0);
    window.take("a", MINUTE, 1, START);
    window.take("b", MINUTE, 1, START + 30_000);
    window.forget(START + 60_999);
    expect(window.size).toBe(2);
    window.forget(START + 61_000);
    expect(window.size).toBe(1);
    window.forget(START + 91_000);
    expect(window.size).toBe(0);
  });

  test("never allows more than the limit in a window, and all of it again a slice after", () => {
    const uses = fc.array(fc.record({ after: fc.nat(20_000), cost: fc.integer({ min: 1, max: 4 }) }), {
      maxLength: 80,
    });
    fc.assert(
      fc.property(uses, fc.integer({ min: 1, max: 12 }), fc.nat(999), (attempts, amount, offset) => {
        const window = new SlidingWindow(1);
        const allowed: { readonly at: number; readonly cost: number }[] = [];
        const usedSince = (from: number): number =>
          allowed.filter(({ at }) => at > from).reduce((total, { cost }) => total + cost, 0);
        let now = START + offset;
        for (const { after, cost } of attempts) {
          now += after;
          const taken = window.take("a", { amount, windowSeconds: 60 }, cost, now);
          if (taken.allowed) allowed.push({ at: now, cost });
          // Exactly a minute ago is outside a window of a minute.
          expect(usedSince(now - 60_000)).toBeLessThanOrEqual(amount);
          if (!taken.allowed) expect(usedSince(now - 61_000) + cost).toBeGreaterThan(amount);
        }
      }),
    );
  });
});
