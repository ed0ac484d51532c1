import { Client } from "pg";

/** A connection to Postgres, for one piece of work: whoever opens it ends it. */
export type Connection = Pick<Client, "query">;

const CONNECT_TIMEOUT_MS = 5_000;
/** Longer than Postgres takes for the largest batch; whoever hears nothing for so long tries again. */
const QUERY_TIMEOUT_MS = 30_000;
/**
 * Runs `work` on a connection of its own and closes it. Through Hyperdrive a connection is cheap: those to the database
 * are pooled there.
 *
 * @throws whatever `work` throws, and what the driver throws when Postgres cannot be reached. A statement that was cut off
 *   may or may not have taken effect.
 */
export async function withPostgres<T>(
  hyperdrive: Hyperdrive,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const client = new Client({
    connectionString: hyperdrive.connectionString,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
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
