import type { Connection } from "../../../src/mirror/postgres.ts";
import { nameOf } from "./batch.ts";
import { markTold, readUntold, type Untold } from "./notes/told.ts";
import type { StreamObjects } from "./parts.ts";

/** Objects that are told at once. */
const AT_ONCE = 10;
const FIRST_TENANT = "00000000-0000-0000-0000-000000000000";

/**
 * Tells the streams' objects what became of their batches. Whoever is not reached is told by a later run; an earlier note
 * that arrives late does no harm.
 *
 * @param until when nobody new is told any more, in milliseconds since the epoch
 * @returns what went wrong
 */
export async function tellStreams(connection: Connection, streams: StreamObjects, until: number): Promise<string[]> {
  const problems: string[] = [];
  const tried = new Set<string>();
  const tell = async ({ stream, notes }: Untold) => {
    tried.add(nameOf(stream));
    try {
      await streams.noteAnchors(stream, notes);
      return notes;
    } catch (error) {
      problems.push(`stream ${nameOf(stream)} could not be told: ${String(error)}`);
      return [];
    }
  };
  // From anywhere to the end, and then what is before.
  for (const from of [crypto.randomUUID(), FIRST_TENANT]) {
    const untold = (await readUntold(connection, from)).filter(({ stream }) => !tried.has(nameOf(stream)));
    for (let start = 0; start < untold.length && Date.now() < until; start += AT_ONCE) {
      const told = await Promise.all(untold.slice(start, start + AT_ONCE).map(tell));
      await markTold(connection, told.flat());
    }
  }
  return problems;
}
