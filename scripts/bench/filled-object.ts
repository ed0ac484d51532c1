import type { Server } from "../lib/client.ts";
import { progress } from "./report.ts";
import { objectCall } from "./servers.ts";

/** The object with a long log. Sections share it, because filling it takes minutes. */
export const LARGE_OBJECT = "large";

/** Events of one call: what shows progress. */
const STEP = 50_000;

/** Fills an object of the benchmark's own Worker up to so many events, sealed in batches, unless it holds them already. */
export async function fillObject(
  server: Server,
  { section, object, events }: { readonly section: string; readonly object: string; readonly events: number },
): Promise<void> {
  const total = events.toLocaleString("en-US");
  for (let filled = 0; filled < events; filled += STEP) {
    if (events > STEP) progress(`${section}: filling an object, ${filled.toLocaleString("en-US")} of ${total}`);
    await objectCall(server, object, { op: "fillTo", events: Math.min(filled + STEP, events) });
  }
}
