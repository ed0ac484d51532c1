import { COMMAND_ALIASES, withPresentNames } from "./admin/aliases.ts";
import { commands } from "./admin/commands.ts";
import { nearest } from "./lib/nearest.ts";
import { UsageError } from "./lib/usage.ts";

/*
 * `npm run admin -- COMMAND`: what an operator does to a deployment, besides deploying it.
 */

// Whoever reads only the beginning of a report has seen enough of it.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
process.exitCode = await main(process.argv.slice(2));

async function main([given, ...args]: readonly string[]): Promise<number> {
  if (given === "help" && args[0] !== undefined) return main([args[0], "--help"]);
  if (given === undefined || ["--help", "-h", "help", "commands"].includes(given)) {
    process.stdout.write(help());
    return 0;
  }
  if (given === "--version") return main(["version"]);
  const name = (Object.hasOwn(COMMAND_ALIASES, given) && COMMAND_ALIASES[given]) || given;
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) return unknown(name);
  try {
    return await command.run(withPresentNames(args));
  } catch (error) {
    const isUsage = error instanceof UsageError;
    process.stderr.write(`${(error as Error).message}${isUsage ? ` See npm run admin -- ${name} --help` : ""}\n`);
    return isUsage ? 2 : 1;
  }
}

function unknown(name: string): number {
  const suggestion = nearest(name, Object.keys(commands));
  const hint = suggestion === undefined ? "npm run admin lists the commands." : `Did you mean ${suggestion}?`;
  process.stderr.write(`There is no command ${name}. ${hint}\n`);
  return 2;
}

function help(): string {
  const width = Math.max(...Object.keys(commands).map(({ length }) => length));
  const lines = Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}\n`);
  return `Usage: npm run admin -- COMMAND [options]\n\n${lines.join("")}\nnpm run admin -- COMMAND --help tells more.\n`;
}
