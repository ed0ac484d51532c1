import { SERVICE, VERSION } from "../../src/version.ts";
import { parseOptions } from "../lib/usage.ts";
import type { Command } from "./command.ts";

const HELP = `Usage: npm run admin -- version [--json]

Prints the version of these commands, which is that of the Worker they were delivered with.
`;

export const version: Command = {
  summary: "prints the version",
  run: (args) => {
    const values = parseOptions(args, { json: { type: "boolean" }, help: { type: "boolean", short: "h" } });
    const document = { service: SERVICE, version: VERSION };
    if (values.help === true) process.stdout.write(HELP);
    else process.stdout.write(values.json === true ? `${JSON.stringify(document)}\n` : `${SERVICE} ${VERSION}\n`);
    return Promise.resolve(0);
  },
};
