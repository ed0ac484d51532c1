import { requireDatabaseUrl } from "./database-url.ts";
import { startPostgres } from "./embedded-postgres.ts";
import { migratePostgres } from "./postgres-migrations.ts";

/** A migrated database for the mirror of a server on this machine. */
export interface LocalDatabase {
  readonly url: string;
  /** Ends the server that was started for it, if one was. */
  readonly stop: () => Promise<void>;
}

/**
 * The database that `databaseUrl` names; without it, one of a server that is started for it with its data in
 * `dataDirectory`. @throws Error, as a sentence, when there is none
 */
export async function openDatabase(databaseUrl: string | undefined, dataDirectory: string): Promise<LocalDatabase> {
  if (databaseUrl !== undefined) {
    requireDatabaseUrl(databaseUrl);
    await migratePostgres(databaseUrl).catch((error: Error) => {
      throw new Error(`${error.message}. DATABASE_URL names it; without that, one is made.`, { cause: error });
    });
    return { url: databaseUrl, stop: () => Promise.resolve() };
  }
  const postgres = await startPostgres({ dataDirectory });
  try {
    await migratePostgres(postgres.url);
  } catch (error) {
    await postgres.stop();
    throw error;
  }
  return postgres;
}
