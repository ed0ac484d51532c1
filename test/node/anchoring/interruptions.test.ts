import { describe, expect, test } from "vitest";
import { hasAnvil } from "../../../scripts/lib/anvil.ts";
import { query, type World, type WorldStream } from "../../support/anchor-world.ts";
import { withWorlds } from "../../support/anchor-worlds.ts";
import { startPostgresProxy } from "../../support/postgres-proxy.ts";

/** More than a round says to anybody: the loops below end by themselves. */
const MANY = 300;
/** Rounds in a row that get through, of which some have much to do. */
const ENOUGH = 6;

describe.skipIf(!hasAnvil())("rounds that meet, and rounds that are broken off", { timeout: 60_000 }, () => {
  let world: World;
  withWorlds((fresh) => (world = fresh));

  test("of rounds at once one does the work, and the others say so", async () => {
    const streams = [world.stream(), world.stream(), world.stream()];
    for (let turn = 0; turn < 12; turn++) {
      const rounds = Array.from({ length: 2 + (turn % 4) }, () => world.round());
      const sealing = streams.slice(0, 1 + (turn % 3)).map((stream) => stream.seal(1));
      const reports = await Promise.all(rounds);
      await Promise.all(sealing);
      expect(reports.filter(({ isBusy }) => !isBusy).length).toBeGreaterThanOrEqual(1);
      expect(reports.flatMap(({ problems }) => problems)).toEqual([]);
      await world.mine(turn % 2);
    }
    await world.settle();
    expect(await world.differences()).toEqual([]);
  });

  test("a round whose lease has run out changes nothing any more", async () => {
    await world.stream().seal();
    const asked = Promise.withResolvers<void>();
    world.proxy.interfere = ({ method }) => {
      if (method !== "eth_estimateGas") return undefined;
      world.proxy.rest();
      asked.resolve();
      return { kind: "late", ms: 500 };
    };
    const slow = world.round();
    await asked.promise;
    await world.elapse();
    expect(await world.round()).toMatchObject({ isBusy: false, sent: 1 });
    expect(await slow).toMatchObject({ isBusy: true, sent: 0 });
    expect(await query(world, "SELECT count(*)::integer FROM ves_anchor_transactions", [])).toEqual([{ count: 1 }]);
    await world.settle();
    expect(await world.differences()).toEqual([]);
  });

  /**
   * Rounds with everything that there is to do in one: what is final is noted, what is under way is looked for, what is
   * pending is sent, and streams are told. Each is broken off a step later than the one before, until some get through.
   *
   * @param broken runs a round that breaks off after so many steps; answers whether it got through
   */
  async function everyStep(broken: (step: number) => Promise<boolean>): Promise<number> {
    const streams: WorldStream[] = [world.stream(), world.stream(), world.stream(), world.stream()];
    let through = 0;
    for (let step = 0; step < MANY; step++) {
      await streams[step % 4]?.seal(1);
      await streams[(step + 1) % 4]?.seal(2);
      const isThrough = await broken(step);
      await world.elapse();
      await world.mine(1);
      if (step % 3 === 2) await world.round();
      through = isThrough ? through + 1 : 0;
      if (through < ENOUGH) continue;
      await world.settle();
      expect(await world.differences()).toEqual([]);
      return step;
    }
    throw new Error("no round gets through");
  }

  test.each(["cut", "answer lost"] as const)("a round may end anywhere in what it asks the node: %s", async (kind) => {
    const steps = await everyStep(async (step) => {
      let asked = 0;
      world.proxy.interfere = () => (asked++ >= step ? { kind } : undefined);
      const { problems } = await world.round();
      world.proxy.rest();
      return problems.length === 0;
    });
    expect(steps).toBeGreaterThan(10);
  });

  test.each([
    ["is not heard", false],
    ["is heard, and not answered", true],
  ])("a round may end anywhere in what it says to Postgres: the last of it %s", async (_, isHeard) => {
    const proxy = await startPostgresProxy(world.database.url);
    const place = { ...world.place, hyperdrive: { connectionString: proxy.url } };
    try {
      const steps = await everyStep(async (step) => {
        proxy.breakAfter(step, isHeard);
        try {
          const { problems } = await world.round(place);
          return problems.length === 0 && proxy.said() <= step;
        } catch {
          return false;
        }
      });
      expect(steps).toBeGreaterThan(20);
    } finally {
      await proxy.close();
    }
  });

  test("streams that could not be told are told by a later round", async () => {
    const [deaf, other] = [world.stream(), world.stream()];
    await deaf.seal();
    await other.seal();
    const place = {
      ...world.place,
      streams: {
        ...world.place.streams,
        noteAnchors: (...args: Parameters<typeof world.place.streams.noteAnchors>) =>
          args[0].tenantId === deaf.tenantId
            ? Promise.reject(new Error("the object is overloaded"))
            : world.place.streams.noteAnchors(...args),
      },
    };
    await world.round();
    await world.mine(3);
    expect((await world.round(place)).problems).toEqual([
      `stream ${deaf.tenantId}/${deaf.storeId} could not be told: Error: the object is overloaded`,
    ]);
    expect([deaf.anchoredSequence(), other.anchoredSequence()]).toEqual([0, 3]);
    await world.settle();
    expect(await world.differences()).toEqual([]);
  });
});
