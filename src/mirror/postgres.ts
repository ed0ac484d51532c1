import { Client } from "pg";
import { recorder } from "../observe/recorder.ts";
import { inSpan } from "../observe/spans.ts";

/** A connection to Postgres, for one piece of work: whoever opens it ends it. */
export type Connection = Pick<Client, "query">;

const CONNECT_TIMEOUT_MS = 5_000;
/** Longer than Postgres takes for the largest batch; whoever hears nothing for so long tries again. */
const QUERY_TIMEOUT_MS = 30_000;
/** For questions that a request waits for, and that it can be answered without. */
export const PATIENCE_MS = 3_000;

/**
 * Runs `work` on a connection of its own and closes it. Through Hyperdrive a connection is cheap: those to the database
 * are pooled there.
 *
 * @param timeoutMs how long each statement may take, and connecting at most
 * @throws whatever `work` throws, and what the driver throws when Postgres cannot be reached. A statement that was cut off
 *   may or may not have taken effect.
 */
export async function withPostgres<T>(
  hyperdrive: Pick<Hyperdrive, "connectionString">,
  work: (connection: Connection) => Promise<T>,
  timeoutMs: number = QUERY_TIMEOUT_MS,
): Promise<T> {
  return inSpan("postgres", {}, async () => {
    try {
      return await connected(hyperdrive, work, timeoutMs);
    } catch (error) {
      recorder.count("sequencer_errors_database", {});
      throw error;
    }
  });
}

async function connected<T>(
  { connectionString }: Pick<Hyperdrive, "connectionString">,
  work: (connection: Connection) => Promise<T>,
  timeoutMs: number,
): Promise<T> {
  const client = new Client({
    connectionString,
    connectionTimeoutMillis: Math.min(CONNECT_TIMEOUT_MS, timeoutMs),
    query_timeout: timeoutMs,
  });
  // A connection that breaks between two statements says so here, and the next statement on it fails by itself.
  client.on("error", () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    // Not waited for: a server that is gone would not answer the farewell either.
    void client.end().catch(() => undefined);
  }
}

/** SQLSTATEs that only an operator can do something about. */
const UNDEFINED_TABLE = "42P01";
const INSUFFICIENT_PRIVILEGE = "42501";

/** Why a statement failed, as a clause for whoever asked: more than that, the log says. */
export function postgresProblem(error: unknown): string {
  const { code } = error as { readonly code?: unknown };
  if (code === UNDEFINED_TABLE) return "Postgres lacks the mirror's schema, which npm run admin -- migrate makes";
  if (code === INSUFFICIENT_PRIVILEGE) return "The Worker lacks rights in Postgres, which docs/operations.md lists";
  return "Postgres cannot be reached";
}
