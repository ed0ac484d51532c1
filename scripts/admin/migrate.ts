import { requireDatabaseUrl } from "../lib/database-url.ts";
import { migratePostgres, pendingMigrations } from "../lib/postgres-migrations.ts";
import { parseOptions } from "../lib/usage.ts";
import type { Command } from "./command.ts";

const HELP = `Usage: npm run admin -- migrate [options]

Brings the mirror's PostgreSQL database to the schema of this version. Does nothing where it has it already.

  --dry-run           list the steps that would be applied, and change nothing
  --database-url URL  the database; DATABASE_URL of the environment when not given
  --json              answers {"applied": [names of the steps]}, with --dry-run {"pending": [names of the steps]}
  --help              print this

Exit code 0: done, 1: the database cannot be used, and the message says why, 2: wrong usage.
`;

export const migrate: Command = { summary: "brings the mirror's database to the schema of this version", run };

async function run(args: readonly string[]): Promise<number> {
  const options = parseOptions(args, {
    "dry-run": { type: "boolean" },
    "database-url": { type: "string" },
    json: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  });
  if (options.help === true) {
    process.stdout.write(HELP);
    return 0;
  }
  const url = requireDatabaseUrl(options["database-url"] ?? process.env["DATABASE_URL"]);
  if (options["dry-run"] === true) {
    const pending = await pendingMigrations(url);
    process.stdout.write(options.json === true ? `${JSON.stringify({ pending })}\n` : text("Would apply", pending));
    return 0;
  }
  const { applied } = await migratePostgres(url);
  process.stdout.write(options.json === true ? `${JSON.stringify({ applied })}\n` : text("Applied", applied));
  return 0;
}

function text(what: string, steps: readonly string[]): string {
  return steps.length === 0 ? "The database is up to date.\n" : `${what} ${steps.join(", ")}.\n`;
}
