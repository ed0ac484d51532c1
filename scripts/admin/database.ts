import { Client } from "pg";
import { databaseError } from "../fsck/postgres-source.ts";

const CONNECT_TIMEOUT_MS = 10_000;

/** Runs `work` on a connection of its own and closes it. @throws SourceError when the database cannot be reached */
export async function withDatabase<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  // A connection that breaks makes the next statement on it fail as well.
  client.on("error", () => undefined);
  try {
    await client.connect();
  } catch (error) {
    throw databaseError(error);
  }
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
