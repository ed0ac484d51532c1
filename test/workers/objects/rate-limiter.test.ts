import { env } from "cloudflare:workers";
import { expect, it } from "vitest";

const newLimiter = () => env.LIMITS.get(env.LIMITS.idFromName(crypto.randomUUID()));

// The first call of this file starts the Worker, which takes seconds on a busy machine.
it("allows exactly the limit, whoever asks at once, and each key its own", { timeout: 20_000 }, async () => {
  const limiter = newLimiter();
  const taken = await Promise.all(
    Array.from({ length: 100 }, (_, n) => limiter.take(n % 2 === 0 ? "a" : "b", 10, 60, 1)),
  );
  const allowed = taken.filter((one) => one.allowed);
  expect(allowed).toHaveLength(20);
  expect(allowed.map(({ remaining }) => remaining).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: 20 }, (_, n) => Math.floor(n / 2)),
  );
});

it("allows again when the window is over, for a cost that fits", async () => {
  const limiter = newLimiter();
  const take = async (cost: number): Promise<boolean> => (await limiter.take("a", 4, 1, cost)).allowed;
  expect([await take(3), await take(2), await take(1), await take(1)]).toEqual([true, false, true, false]);
  await scheduler.wait(1_050);
  expect([await take(4), await take(1)]).toEqual([true, false]);
});
