import { withPostgres } from "../../../src/mirror/postgres.ts";
import { markTold, readUntold } from "./notes/told.ts";
import type { StreamObjects } from "./parts.ts";

/** Objects that are told at once. */
const AT_ONCE = 10;

/**
 * Tells the streams' objects what became of their batches. Whoever is not reached is told by a later run; an earlier note
 * that arrives late does no harm, so that this needs no lease.
 *
 * @returns what went wrong
 */
export async function tellStreams(
  hyperdrive: Pick<Hyperdrive, "connectionString">,
  streams: StreamObjects,
): Promise<string[]> {
  return withPostgres(hyperdrive, async (connection) => {
    const problems: string[] = [];
    const untold = await readUntold(connection);
    for (let start = 0; start < untold.length; start += AT_ONCE) {
      const told = await Promise.all(
        untold.slice(start, start + AT_ONCE).map(async ({ stream, notes }) => {
          try {
            await streams.noteAnchors(stream, notes);
            return notes;
          } catch (error) {
            problems.push(`stream ${stream.tenantId}/${stream.storeId} could not be told: ${String(error)}`);
            return [];
          }
        }),
      );
      await markTold(connection, told.flat());
    }
    return problems;
  });
}
