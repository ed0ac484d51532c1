import { Client } from "pg";
import { requireDatabaseUrl } from "../lib/database-url.ts";
import { type Progress, silentProgress, textProgress } from "../lib/progress.ts";
import { counted } from "../lib/text.ts";
import { parseOptions, UsageError } from "../lib/usage.ts";
import type { Command } from "./command.ts";

const HELP = `Usage: npm run admin -- reanchor (--dry-run | --yes) [options]

Forgets what is noted as anchored, so that the anchoring Worker anchors every batch again: after it was configured
for another chain or another contract, which it refuses until this was done. Nothing is changed on any chain. What the
configured contract holds already is not sent again. When it is interrupted, run it again: it continues. It is for all
streams of all tenants, straight in the database: no audit log has an entry of it.

  --dry-run           say what would be anchored again, and change nothing
  --yes               do it: every transaction costs gas
  --database-url URL  the database, as the owner of its schema; DATABASE_URL of the environment when not given
  --json              answers {"batches", "streams"}
  --help              print this

Exit code 0: done, 1: it cannot be done now, and the message says why, 2: wrong usage.
`;

/** Batches forgotten in one statement. */
const BATCHES_AT_ONCE = 5_000;
/** What holds the lease meanwhile, so that no run of the anchoring Worker takes place. */
const HOLDER = "00000000-0000-4000-8000-00000000feed";

interface Extent {
  readonly batches: number;
  readonly streams: number;
}

export const reanchor: Command = { summary: "has every batch anchored again, in another contract", run };

async function run(args: readonly string[]): Promise<number> {
  const options = parseOptions(args, {
    "dry-run": { type: "boolean" },
    yes: { type: "boolean" },
    "database-url": { type: "string" },
    json: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  });
  if (options.help === true) {
    process.stdout.write(HELP);
    return 0;
  }
  const isDryRun = options["dry-run"] === true;
  if (isDryRun === (options.yes === true)) throw new UsageError("Give either --dry-run or --yes.");
  const client = new Client({
    connectionString: requireDatabaseUrl(options["database-url"] ?? process.env["DATABASE_URL"]),
  });
  client.on("error", () => undefined);
  await client.connect().catch((error: Error) => {
    throw new Error(`The PostgreSQL database cannot be used: ${error.message}`, { cause: error });
  });
  try {
    const extent = await readExtent(client);
    if (!isDryRun)
      await forgetAll(client, extent, options.json === true ? silentProgress : textProgress(process.stderr));
    process.stdout.write(options.json === true ? `${JSON.stringify(extent)}\n` : text(extent, isDryRun));
    return 0;
  } finally {
    await client.end();
  }
}

function text({ batches, streams }: Extent, isDryRun: boolean): string {
  const what = `${counted(batches, "batch")} of ${counted(streams, "stream")}`;
  return isDryRun ? `${what} would be anchored again.\n` : `${what} will be anchored again, with the next run.\n`;
}

async function readExtent(client: Client): Promise<Extent> {
  const { rows } = await client.query<Extent>(
    `SELECT count(*)::integer AS batches, count(DISTINCT (tenant_id, store_id))::integer AS streams
       FROM ves_anchors WHERE ${IS_NOTED}`,
  );
  return rows[0] ?? { batches: 0, streams: 0 };
}

/** Of these rows there is something to forget. */
const IS_NOTED = "(status <> 'pending' OR failures > 0 OR error IS NOT NULL)";

/** @throws Error, as a sentence, while a run is at work */
async function forgetAll(client: Client, { batches }: Extent, progress: Progress): Promise<void> {
  const { rowCount } = await client.query(
    `UPDATE ves_anchor_state SET lease_holder = $1, lease_until = now() + interval '10 minutes'
      WHERE lease_holder IS NULL OR lease_holder = $1 OR lease_until < now()`,
    [HOLDER],
  );
  if (rowCount !== 1) throw new Error("The anchoring Worker is at work: try again in a moment.");
  progress.startEvents("Reanchor", batches);
  for (let forgotten = BATCHES_AT_ONCE; forgotten === BATCHES_AT_ONCE;) {
    const result = await client.query(
      `WITH noted AS (SELECT batch_id FROM ves_anchors WHERE ${IS_NOTED} LIMIT ${BATCHES_AT_ONCE}),
            held AS (UPDATE ves_anchor_state SET lease_until = now() + interval '10 minutes')
       UPDATE ves_anchors a
          SET status = 'pending', attempt_id = NULL, chain_id = NULL, tx_hash = NULL, block_number = NULL,
              block_hash = NULL, anchored_at = NULL, revision = next_revision(a.revision), failures = 0, retry_at = NULL, error = NULL
         FROM noted WHERE a.batch_id = noted.batch_id`,
    );
    forgotten = result.rowCount ?? 0;
    progress.advance(forgotten);
  }
  await client.query("UPDATE ves_anchor_attempts SET status = 'lost' WHERE status <> 'lost'");
  await client.query(
    `UPDATE ves_anchor_state SET chain_id = NULL, contract = NULL, lease_holder = NULL, lease_until = NULL,
            last_error = NULL WHERE lease_holder = $1`,
    [HOLDER],
  );
  progress.clear();
}
