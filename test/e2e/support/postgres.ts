import { join } from "node:path";
import { type EmbeddedPostgres, startPostgres } from "../../../scripts/lib/embedded-postgres.ts";
import { migratePostgres } from "../../../scripts/lib/postgres-migrations.ts";
import { tempDir } from "./processes.ts";

/** A migrated PostgreSQL server of one test's own, to be taken away and brought back under its database's users. */
export interface OwnPostgres {
  /** The same after each {@link restart}. */
  readonly url: string;
  /** kill -9 of all its processes. */
  readonly kill: () => Promise<void>;
  /** Ends it in good order. */
  readonly stop: () => Promise<void>;
  /** Starts it again, on the same port with the same data, after a kill or stop. */
  readonly restart: () => Promise<void>;
}

/** With data that outlives a kill, in a {@link tempDir}. */
export async function ownPostgres(): Promise<OwnPostgres> {
  const dataDirectory = join(tempDir(), "postgres");
  let server: EmbeddedPostgres = await startPostgres({ dataDirectory });
  await migratePostgres(server.url);
  return {
    url: server.url,
    kill: () => server.kill(),
    stop: () => server.stop(),
    restart: async () => {
      server = await startPostgres({ dataDirectory, port: server.port });
    },
  };
}
