import { describe, expect, test } from "vitest";
import { hasAnvil } from "../../../scripts/lib/anvil.ts";
import type { World } from "../../support/anchor-world.ts";
import { withWorlds } from "../../support/anchor-worlds.ts";

describe.skipIf(!hasAnvil())("anchoring", () => {
  let world: World;
  withWorlds((fresh) => (world = fresh));

  test("sends what is sealed, and counts it as final when it is deep enough", async () => {
    const stream = world.stream();
    await stream.seal();
    await stream.seal(2);
    expect(await world.round()).toMatchObject({ isBusy: false, sent: 1, problems: [] });
    expect(await world.rows(stream)).toMatchObject([{ status: "submitted" }, { status: "submitted" }]);
    await world.mine(2);
    await world.round();
    expect(await world.rows(stream)).toMatchObject([{ status: "submitted" }, { status: "submitted" }]);
    expect(stream.anchoredSequence()).toBe(0);
    await world.mine(1);
    expect(await world.round()).toMatchObject({ sent: 0, open: 0, problems: [] });
    expect(stream.anchoredSequence()).toBe(5);
    expect(await world.differences()).toEqual([]);
  });
});
