import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Grant, type GrantRequest, grantUses, type NamedLimit } from "../../src/limits/grant.ts";
import { HeldGrants, type Standing } from "../../src/limits/held-grants.ts";
import { SlidingWindow } from "../../src/limits/sliding-window.ts";

const START = 1_790_000_000_000;
const TENANT: NamedLimit = { key: "shared", amount: 100, windowSeconds: 60 };
const KEY: NamedLimit = { key: "key", amount: 5, windowSeconds: 60 };

function ask(window: SlidingWindow, limits: readonly NamedLimit[], uses: number, ms: number): Grant {
  return grantUses(window, { limits, uses, unused: null }, START + ms);
}

describe("a grant", () => {
  test("is what all limits have left, and counts for all of them", () => {
    const window = new SlidingWindow(10);
    expect(ask(window, [TENANT, KEY], 3, 0)).toMatchObject({ uses: 3, tightest: 1, remaining: 2 });
    expect(ask(window, [TENANT, KEY], 9, 0)).toMatchObject({ uses: 2, tightest: 1, remaining: 0 });
    expect(ask(window, [TENANT], 90, 0)).toMatchObject({ uses: 90, tightest: 0, remaining: 5 });
    expect(ask(window, [TENANT], 90, 0)).toMatchObject({ uses: 5, tightest: 0, remaining: 0 });
  });

  test("is refused by the limit that is the last to have something left, and then counts for none", () => {
    const window = new SlidingWindow(10);
    ask(window, [KEY], 5, 0);
    expect(ask(window, [TENANT, KEY], 1, 500)).toMatchObject({ uses: 0, tightest: 1, remaining: 0, resetMs: 60_500 });
    expect(ask(window, [TENANT], 100, 10_000).uses).toBe(100);
    expect(ask(window, [TENANT, KEY], 1, 11_000)).toMatchObject({ uses: 0, tightest: 0, resetMs: 60_000 });
    expect(ask(window, [TENANT, KEY], 1, 61_000)).toMatchObject({ uses: 0, tightest: 0, resetMs: 10_000 });
    expect(ask(window, [TENANT, KEY], 1, 71_000).uses).toBe(1);
  });

  test("may be made until the slice ends that it is counted in: the shorter one's of two windows", () => {
    const window = new SlidingWindow(10);
    expect(ask(window, [TENANT], 1, 0).validMs).toBe(1_000);
    expect(ask(window, [TENANT], 1, 999).validMs).toBe(1);
    expect(ask(window, [TENANT, { ...KEY, windowSeconds: 6 }], 1, 250).validMs).toBe(50);
  });

  test("takes back what was not made, as long as that counts", () => {
    const window = new SlidingWindow(10);
    const { takenAt } = ask(window, [TENANT, KEY], 5, 0);
    const again = (ms: number): Grant =>
      grantUses(window, { limits: [TENANT, KEY], uses: 9, unused: { uses: 2, takenAt } }, START + ms);
    expect(again(30_000)).toMatchObject({ uses: 2, remaining: 0 });
    expect(again(61_000)).toMatchObject({ uses: 3, remaining: 0 });
  });
});

/** An object and an isolate, with no time between question and answer. */
function connected(window: SlidingWindow, held: HeldGrants, limits: readonly NamedLimit[]) {
  const questions: GrantRequest[] = [];
  const use = (ms: number): Standing => {
    const now = START + ms;
    const decided = held.use("bucket", limits, now);
    if (decided === null) throw new Error("it passes uncounted");
    if ("isAllowed" in decided) return decided;
    questions.push(decided);
    return held.settle("bucket", decided, grantUses(window, decided, now), { askedAt: now, now });
  };
  return { use, questions };
}

describe("an isolate", () => {
  test("that makes many requests asks for few of them", () => {
    const { use, questions } = connected(new SlidingWindow(10), new HeldGrants(), [{ ...TENANT, amount: 6_000 }]);
    for (let n = 0; n < 1_000; n++) expect(use(n)).toMatchObject({ isAllowed: true, remaining: expect.any(Number) });
    expect(questions.length).toBeLessThan(14);
    expect(Math.max(...questions.map(({ uses }) => uses))).toBeLessThanOrEqual(1 + 6_000 / 20);
  });

  test("gives back what it took in advance and did not use, and so has all of its limit", () => {
    const { use, questions } = connected(new SlidingWindow(10), new HeldGrants(), [TENANT]);
    for (let n = 0; n < 100; n++) expect(use(n * 500)).toMatchObject({ isAllowed: true });
    expect(use(50_000)).toMatchObject({ isAllowed: false, remaining: 0 });
    expect(questions.reduce((sum, { uses, unused }) => sum + uses - (unused?.uses ?? 0), 0)).toBeGreaterThanOrEqual(
      100,
    );
  });

  test("remembers a refusal until it ends, and asks nothing until then", () => {
    const { use, questions } = connected(new SlidingWindow(10), new HeldGrants(), [KEY]);
    for (let n = 0; n < 5; n++) use(0);
    const asked = questions.length;
    expect(use(1)).toEqual({ isAllowed: false, limit: KEY, remaining: 0, resetMs: 60_999 });
    for (let ms = 2; ms < 61_000; ms += 100) {
      expect(use(ms)).toEqual({ isAllowed: false, limit: KEY, remaining: 0, resetMs: 61_000 - ms });
    }
    expect(questions).toHaveLength(asked + 1);
    expect(use(61_000)).toMatchObject({ isAllowed: true, remaining: 4 });
  });

  test("lets requests pass for a second when the object does not answer", () => {
    const held = new HeldGrants();
    const use = (ms: number) => held.use("bucket", [KEY], START + ms);
    expect(use(0)).toMatchObject({ uses: 1 });
    held.unanswered("bucket", START + 10);
    expect([use(10), use(1_009)]).toEqual([null, null]);
    expect(use(1_010)).toMatchObject({ uses: 1 });
  });

  test("holds a bounded number of buckets, and forgets the one that was asked about least lately", () => {
    const held = new HeldGrants();
    const refuse = (name: string): void => {
      const question = held.use(name, [KEY], START) as GrantRequest;
      const grant = { uses: 0, takenAt: START, validMs: 0, tightest: 0, remaining: 0, resetMs: 1_000 };
      held.settle(name, question, grant, { askedAt: START, now: START });
    };
    for (let n = 0; n <= 10_000; n++) refuse(`bucket ${n}`);
    expect(held.use("bucket 1", [KEY], START)).toMatchObject({ isAllowed: false });
    expect(held.use("bucket 0", [KEY], START)).toMatchObject({ uses: 1 });
  });
});

/** A moment at which something reaches an isolate or the object. */
interface Step {
  readonly at: number;
  readonly run: (now: number) => void;
}

const ISOLATES = 4;
const KEYS = [0, 1] as const;

/** One request: to which isolate, with which key, how long after the one before, and how long a question takes. */
const requests = fc.array(
  fc.record({
    isolate: fc.nat(ISOLATES - 1),
    key: fc.constantFrom(...KEYS),
    after: fc.oneof({ weight: 19, arbitrary: fc.nat(6) }, fc.nat(5_000)),
    outMs: fc.nat(20),
    backMs: fc.nat(20),
  }),
  { minLength: 100, maxLength: 600, size: "max" },
);

test("however isolates and answers interleave, no window holds more than the limit, and only a lease is refused too early", () => {
  let madeInAdvance = 0;
  let refused = 0;
  const amounts = { shared: fc.integer({ min: 1, max: 300 }), own: fc.integer({ min: 1, max: 200 }) };
  fc.assert(
    fc.property(requests, amounts.shared, amounts.own, (calls, shared, own) => {
      const window = new SlidingWindow(10);
      const isolates = Array.from({ length: ISOLATES }, () => new HeldGrants());
      const limitsOf = (key: number): readonly NamedLimit[] => [
        { key: "shared", amount: shared, windowSeconds: 60 },
        { key: String(key), amount: own, windowSeconds: 30 },
      ];
      const made: { readonly at: number; readonly key: number }[] = [];
      /** Uses after `from`, of one key or of both. */
      const madeSince = (from: number, to: number, limit: string): number =>
        made.filter(({ at, key }) => at > from && at <= to && (limit === "shared" || limit === String(key))).length;
      const lease = Math.floor(Math.min(shared, own) / 20);
      const steps: Step[] = [];
      let at = START;
      for (const { isolate, key, after, outMs, backMs } of calls) {
        at += after;
        steps.push({ at, run: (now) => request(now, { held: isolates[isolate] as HeldGrants, key, outMs, backMs }) });
      }

      function request(
        askedAt: number,
        { held, key, outMs, backMs }: { held: HeldGrants; key: number; outMs: number; backMs: number },
      ): void {
        const decided = held.use(String(key), limitsOf(key), askedAt);
        if (decided === null) throw new Error("it passes uncounted");
        if ("isAllowed" in decided) {
          if (!decided.isAllowed) return;
          madeInAdvance++;
          made.push({ at: askedAt, key });
          return;
        }
        const count = (now: number): void => {
          const grant = grantUses(window, decided, now);
          // The use that was asked for is made when it is counted, whenever its answer arrives.
          if (grant.uses > 0) made.push({ at: now, key });
          else expectUsedUp(limitsOf(key)[grant.tightest] as NamedLimit, now);
          const settle = (then: number) => void held.settle(String(key), decided, grant, { askedAt, now: then });
          steps.push({ at: now + backMs, run: settle });
        };
        steps.push({ at: askedAt + outMs, run: count });
      }

      /** But for what isolates hold in advance. A use may be forgotten a sixtieth late. */
      function expectUsedUp({ key, amount, windowSeconds }: NamedLimit, now: number): void {
        refused++;
        const holders = ISOLATES * (key === "shared" ? KEYS.length : 1);
        const used = madeSince(now - windowSeconds * 1_000 * (61 / 60), now, key);
        expect(used + holders * lease).toBeGreaterThanOrEqual(amount);
      }

      while (steps.length > 0) {
        const earliest = steps.reduce((first, step) => (step.at < first.at ? step : first));
        steps.splice(steps.indexOf(earliest), 1);
        earliest.run(earliest.at);
      }
      for (const { at: end, key } of made) {
        expect(madeSince(end - 60_000, end, "shared")).toBeLessThanOrEqual(shared);
        expect(madeSince(end - 30_000, end, String(key))).toBeLessThanOrEqual(own);
      }
    }),
    // A counterexample is made smaller for a while, not for as long as it takes.
    { numRuns: 100, interruptAfterTimeLimit: 10_000 },
  );
  // Or else nothing was shown.
  expect(madeInAdvance).toBeGreaterThan(1_000);
  expect(refused).toBeGreaterThan(1_000);
});
