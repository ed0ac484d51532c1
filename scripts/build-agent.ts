import { buildAgent } from "./lib/build-agent.ts";

/*
 * `npm run build:agent`: the agent's package as it is published, in agent/dist.
 */

await buildAgent();
process.stdout.write("agent/dist holds the package; `npm pack ./agent` makes a file of it.\n");
