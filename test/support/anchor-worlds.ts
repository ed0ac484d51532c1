import { afterAll, afterEach, beforeAll, beforeEach, inject } from "vitest";
import { type AnchorGround, anchorGround } from "./anchor-ground.ts";
import { anchorWorld, type World, type WorldOptions } from "./anchor-world.ts";

/** Gives each test of a suite a world of its own. */
export function withWorlds(give: (world: World) => void, options: WorldOptions = {}): void {
  let ground: AnchorGround;
  let world: World;
  beforeAll(async () => {
    ground = await anchorGround(inject("postgresUrl"));
  });
  beforeEach(async () => {
    await ground.clear();
    world = await anchorWorld(ground, options);
    give(world);
  });
  afterEach(() => world.close());
  afterAll(() => ground.close());
}
