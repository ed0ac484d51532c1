import { writeSync } from "node:fs";
import { liveOnce, type Settings } from "./agent-life.ts";

/*
 * An agent to be killed, bundled: `node agent-process.mjs SETTINGS DIES_AT`. SETTINGS are a {@link Settings} as JSON; before step number
 * DIES_AT it kills itself, or never where that is 0. Prints `done` when all is settled. Ends when its input does, so that it never
 * outlives a test that was itself killed.
 */

const [settings = "", diesAt = "0"] = process.argv.slice(2);
let steps = 0;
process.stdin.resume().once("end", () => process.exit(1));

await liveOnce(JSON.parse(settings) as Settings, () => {
  if (++steps === Number(diesAt)) process.kill(process.pid, "SIGKILL");
});
writeSync(1, `done after ${steps} steps\n`);
process.exit(0);
