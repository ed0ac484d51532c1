#!/usr/bin/env node
import { isBuiltin } from "node:module";
import { hideExperimentalWarnings } from "./warnings.ts";

/*
 * `stateset-sync COMMAND`: an agent on the command line.
 */

// Whoever reads only the beginning of a report has seen enough of it.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

if (isBuiltin("node:sqlite")) {
  hideExperimentalWarnings();
  // Only now: it imports what an old Node does not have.
  const { runProgram } = await import("./program.ts");
  process.exitCode = await runProgram(process.argv.slice(2), process.env);
} else {
  process.stderr.write(`stateset-sync needs Node 22.13 or newer; this is ${process.version}.\n`);
  process.exitCode = 2;
}
