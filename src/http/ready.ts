import { z } from "zod";
import { unavailable } from "../errors.ts";
import { readTip } from "../mirror/stream-tables.ts";
import { withPostgres } from "../mirror/postgres.ts";
import { log } from "../observe/log.ts";
import { streamStub } from "../stream/stream-client.ts";
import { registryStub } from "../tenant/registry-client.ts";
import { endpoint } from "./endpoint.ts";

/** Any objects will do to see whether they can be reached; these hold nothing unless somebody uses the nil ids. */
const NIL_UUID = "00000000-0000-0000-0000-000000000000";
const NIL_STREAM = { tenantId: NIL_UUID, storeId: NIL_UUID };

/** Objects that take longer are as good as away. */
const PATIENCE_MS = 3_000;
/** Of a question whose answer changes nothing. */
const MIRROR_PATIENCE_MS = 1_000;
/** How long an isolate goes by what Postgres answered: anybody may ask here. */
const MIRROR_FRESH_MS = 5_000;

const mirrorStatus = z.enum(["connected", "away", "not_configured"]);

/** Whether events can be accepted. */
export const readyEndpoints = [
  endpoint({
    method: "GET",
    path: "/ready",
    tag: "Sequencer",
    summary:
      "Whether events can be accepted: the configuration is right, and the objects that hold the data can be reached",
    description: `Postgres is not needed for that. Whether it answers is told in \`mirror\`, as an isolate found it within the
last seconds; while it is away, batches wait in their streams.`,
    isPublic: true,
    response: z.object({
      status: z.literal("ready"),
      database: z.object({ connected: z.literal(true), response_time_ms: z.number() }).describe("The objects"),
      mirror: z.object({ status: mirrorStatus }),
      pool: z.null().describe("There is none"),
    }),
    errors: [503],
    handle: async (c) => {
      const asked = Date.now();
      const mirror = askMirror(c.env.POSTGRES);
      try {
        await withinTime(
          Promise.all([registryStub(c.env, NIL_UUID).hasStore(NIL_UUID), streamStub(c.env, NIL_STREAM).head()]),
        );
      } catch (error) {
        log.error("not ready", { error: String(error) });
        throw unavailable("The objects that hold the data cannot be reached");
      }
      const database = { connected: true, response_time_ms: Date.now() - asked };
      return { status: "ready", database, mirror: { status: await mirror }, pool: null };
    },
  }),
];

/** @throws Error when there is no answer in time */
async function withinTime(answer: Promise<unknown>): Promise<void> {
  const patience = new AbortController();
  const outOfPatience = scheduler.wait(PATIENCE_MS, { signal: patience.signal }).then(() => {
    throw new Error(`no answer within ${PATIENCE_MS} ms`);
  });
  try {
    await Promise.race([answer, outOfPatience]);
  } finally {
    // What is cut short rejects, and nobody listens any more.
    outOfPatience.catch(() => undefined);
    patience.abort();
  }
}

type MirrorStatus = z.output<typeof mirrorStatus>;

const lately = new WeakMap<Hyperdrive, { readonly status: MirrorStatus; readonly at: number }>();

async function askMirror(hyperdrive: Hyperdrive | undefined): Promise<MirrorStatus> {
  if (hyperdrive === undefined) return "not_configured";
  const found = lately.get(hyperdrive);
  if (found !== undefined && Date.now() - found.at < MIRROR_FRESH_MS) return found.status;
  const status = await withPostgres(
    hyperdrive,
    (connection) => readTip(connection, NIL_STREAM),
    MIRROR_PATIENCE_MS,
  ).then(
    (): MirrorStatus => "connected",
    (): MirrorStatus => "away",
  );
  lately.set(hyperdrive, { status, at: Date.now() });
  return status;
}
