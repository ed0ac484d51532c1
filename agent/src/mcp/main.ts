#!/usr/bin/env node
import { CommandLineError, HELP, readCommandLine } from "./command-line.ts";
import { SettingsError } from "./settings.ts";

/*
 * `stateset-agent-mcp`. Standard output belongs to the protocol: all that is said to people goes to standard error, but for
 * `--help`. Exit status 2: it was started in a way in which it cannot work; 1: anything else.
 */

const say = (line: string): void => void process.stderr.write(`${line}\n`);

try {
  const command = readCommandLine(process.argv.slice(2));
  if (command.kind === "help") {
    process.stdout.write(HELP);
  } else {
    await (await import("./serve.ts")).serve(command, process.env, say);
  }
  process.exit(0);
} catch (error) {
  process.exit(report(error as Error & { readonly code?: unknown }));
}

/** @returns the exit status */
function report(error: Error & { readonly code?: unknown }): 1 | 2 {
  if (error instanceof SettingsError || error instanceof CommandLineError) {
    say(`stateset-agent-mcp: ${error.message}\nSee stateset-agent-mcp --help.`);
    return 2;
  }
  if (error.code === "ERR_MODULE_NOT_FOUND" && error.message.includes("@modelcontextprotocol/sdk")) {
    say("stateset-agent-mcp: it needs a package beside its own: npm install @modelcontextprotocol/sdk");
    return 2;
  }
  say(`stateset-agent-mcp: ${error.message}`);
  return 1;
}
