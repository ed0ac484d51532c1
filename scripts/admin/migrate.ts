import { requireDatabaseUrl } from "../lib/database-url.ts";
import { migratePostgres } from "../lib/postgres-migrations.ts";
import { parseOptions } from "../lib/usage.ts";
import type { Command } from "./command.ts";

const HELP = `Usage: npm run admin -- migrate [--database-url URL] [--json]

Brings the mirror's PostgreSQL database to the schema of this version. Does nothing where it has it already.

  --database-url URL  the database; DATABASE_URL of the environment when not given
  --json              answers {"applied": [names of the steps]}
`;

export const migrate: Command = { summary: "brings the mirror's database to the schema of this version", run };

async function run(args: readonly string[]): Promise<number> {
  const options = parseOptions(args, {
    "database-url": { type: "string" },
    json: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  });
  if (options.help === true) {
    process.stdout.write(HELP);
    return 0;
  }
  const url = requireDatabaseUrl(options["database-url"] ?? process.env["DATABASE_URL"]);
  const { applied } = await migratePostgres(url);
  if (options.json === true) process.stdout.write(`${JSON.stringify({ applied })}\n`);
  else if (applied.length === 0) process.stdout.write("The database is up to date.\n");
  else process.stdout.write(`Applied ${applied.join(", ")}.\n`);
  return 0;
}
