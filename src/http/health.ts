import { z } from "zod";
import { type Principal, requireFlag } from "../access/principal.ts";
import { anchorSetup } from "../anchor/anchor-client.ts";
import { type AnchorRuns, readAnchorRuns } from "../mirror/anchor-progress.ts";
import { type FrozenStream, readFrozenStreams, type Scope } from "../mirror/health.ts";
import { postgresProblem } from "../mirror/postgres.ts";
import { log } from "../observe/log.ts";
import { readMetrics } from "../observe/metrics-client.ts";
import { toRfc3339Offset } from "../ves/index.ts";
import { SERVICE, VERSION } from "../version.ts";
import { setupMessage } from "./anchor-json.ts";
import { endpoint } from "./endpoint.ts";
import { timeText, uuidText } from "./schemas.ts";

const MAX_FROZEN_STREAMS = 100;
/** Streams seal after seconds and mirror at once. Longer than a restart of Postgres takes. */
const LONGEST_LAG_MS = 5 * 60_000;
/** The anchoring Worker's Cron Trigger fires every minute. */
const LONGEST_PAUSE_MS = 5 * 60_000;

const componentStatus = z.enum(["healthy", "degraded", "unhealthy", "not_configured"]);

const healthResponse = z.object({
  status: z.enum(["healthy", "degraded"]).describe("degraded: events are accepted, and something needs a look"),
  service: z.string(),
  version: z.string(),
  timestamp: timeText,
  components: z.object({
    database: z.object({
      name: z.literal("postgresql"),
      status: componentStatus,
      message: z.string().optional(),
      response_time_ms: z.number().optional(),
    }),
    mirror: z.object({
      status: componentStatus.describe("degraded when a stream is frozen, by its mirror or by the contract"),
      frozen_streams: z
        .array(z.object({ tenant_id: uuidText, store_id: uuidText, reason: z.string(), frozen_at: timeText }))
        .describe(`Those that the credential is for, or all for the bootstrap key; at most ${MAX_FROZEN_STREAMS}`),
    }),
    anchor_service: z.object({
      name: z.literal("anchor"),
      status: componentStatus.describe(
        "degraded when its setup is wrong, it cannot be reached, or its last run failed",
      ),
      message: z.string().optional(),
    }),
    lag: z.object({
      status: componentStatus.describe(
        `degraded when something has waited for more than ${LONGEST_LAG_MS / 60_000} minutes to be sealed or mirrored`,
      ),
      message: z.string().optional(),
      events_unsealed: z.int().optional(),
      oldest_unsealed_seconds: z.number().optional(),
      events_unmirrored: z.int().optional(),
      oldest_unmirrored_seconds: z.number().optional(),
      streams_unmirrored: z.int().optional(),
    }),
    metrics: z.object({
      status: componentStatus.describe("degraded when the objects that add up the metrics cannot be reached"),
    }),
  }),
});

type Components = z.output<typeof healthResponse>["components"];

/** How the parts that are not needed to accept events are. */
export const healthEndpoints = [
  endpoint({
    method: "GET",
    path: "/health/detailed",
    tag: "Sequencer",
    summary: "How the mirror in Postgres and the anchoring are",
    description: `Answers 200 with \`degraded\`, and not an error, while Postgres is away: events are accepted all the same, and
mirrored and anchored later. A load balancer that asks here is not meant to take the deployment out.`,
    response: healthResponse,
    handle: async (c) => {
      const principal = c.get("principal");
      requireFlag(principal, "admin");
      const [mirror, anchoring, lag] = await Promise.all([
        askMirror(c.env.POSTGRES, principal),
        askAnchoring(c.env, principal),
        askLag(c.env, principal),
      ]);
      const components = { ...mirror, anchor_service: anchoring, ...lag };
      const isSound = ({ status }: { status: string }): boolean => status === "healthy" || status === "not_configured";
      return {
        status: Object.values(components).every(isSound) ? "healthy" : "degraded",
        service: SERVICE,
        version: VERSION,
        timestamp: toRfc3339Offset(Date.now()),
        components,
      };
    },
  }),
];

async function askMirror(
  hyperdrive: Hyperdrive | undefined,
  scope: Scope,
): Promise<Pick<Components, "database" | "mirror">> {
  const name = "postgresql";
  if (hyperdrive === undefined) {
    const message = "This deployment has no binding POSTGRES: nothing is mirrored";
    return {
      database: { name, status: "not_configured", message },
      mirror: { status: "not_configured", frozen_streams: [] },
    };
  }
  const asked = Date.now();
  try {
    const frozen = await readFrozenStreams(hyperdrive, scope, MAX_FROZEN_STREAMS);
    return {
      database: { name, status: "healthy", response_time_ms: Date.now() - asked },
      mirror: { status: frozen.length === 0 ? "healthy" : "degraded", frozen_streams: frozen.map(frozenJson) },
    };
  } catch (error) {
    log.error("reading the frozen streams from Postgres failed", { error: String(error) });
    const message = `${postgresProblem(error)}: sealed batches wait in their streams meanwhile`;
    return {
      database: { name, status: "unhealthy", message, response_time_ms: Date.now() - asked },
      mirror: { status: "degraded", frozen_streams: [] },
    };
  }
}

/** What waits in the streams, as they reported it last. */
async function askLag(env: Env, scope: Scope): Promise<Pick<Components, "lag" | "metrics">> {
  const METRICS: Env["METRICS"] | undefined = env.METRICS;
  if (METRICS === undefined) {
    const message = "This deployment has no binding METRICS: nothing is known of what waits";
    return { lag: { status: "not_configured", message }, metrics: { status: "not_configured" } };
  }
  try {
    const { lag } = await readMetrics(METRICS, scope);
    const now = Date.now();
    const age = (since: number | null): number => (since === null ? 0 : Math.max(0, now - since));
    const [unsealed, unmirrored] = [age(lag.unsealedSince), age(lag.unmirroredSince)];
    const isLate = Math.max(unsealed, unmirrored) > LONGEST_LAG_MS;
    return {
      lag: {
        status: isLate ? "degraded" : "healthy",
        ...(isLate ? { message: lagMessage(unsealed, unmirrored) } : {}),
        events_unsealed: lag.unsealed,
        oldest_unsealed_seconds: unsealed / 1_000,
        events_unmirrored: lag.unmirrored,
        oldest_unmirrored_seconds: unmirrored / 1_000,
        streams_unmirrored: lag.unmirroredStreams,
      },
      metrics: { status: "healthy" },
    };
  } catch (error) {
    log.error("reading how far the streams are failed", { error: String(error) });
    const message = "The objects that know what waits cannot be reached";
    return { lag: { status: "degraded", message }, metrics: { status: "degraded" } };
  }
}

function lagMessage(unsealedMs: number, unmirroredMs: number): string {
  const [what, ms] = unmirroredMs >= unsealedMs ? ["mirrored", unmirroredMs] : ["sealed", unsealedMs];
  return `Events have waited for ${Math.floor(ms / 60_000)} minutes to be ${what}`;
}

async function askAnchoring(env: Env, principal: Principal): Promise<Components["anchor_service"]> {
  const name = "anchor";
  const setup = await anchorSetup(env);
  const message = setupMessage(setup, principal);
  if (setup.kind === "off") return { name, status: "not_configured", message };
  if (setup.kind !== "on") return { name, status: "degraded", message };
  try {
    const problem = problemOfRuns(await readAnchorRuns(env.POSTGRES, principal), Date.now());
    return problem === null ? { name, status: "healthy", message } : { name, status: "degraded", message: problem };
  } catch (error) {
    log.error("reading the last run of the anchoring from Postgres failed", { error: String(error) });
    return {
      name,
      status: "degraded",
      message: `${postgresProblem(error)}: sealed batches are not anchored meanwhile`,
    };
  }
}

function problemOfRuns({ lastRunAt, lastError, isRefused }: AnchorRuns, now: number): string | null {
  if (lastRunAt === null || now - lastRunAt.getTime() > LONGEST_PAUSE_MS) {
    return "The anchoring Worker has not run for minutes: look whether its Cron Trigger fires";
  }
  if (lastError !== null) return "The last run failed; /api/v1/anchor/status tells the bootstrap administrator why";
  return isRefused ? "Some batches are refused and tried again; the table ves_anchors says which and why" : null;
}

function frozenJson({ tenantId, storeId, reason, frozenAt }: FrozenStream) {
  return { tenant_id: tenantId, store_id: storeId, reason, frozen_at: toRfc3339Offset(frozenAt.getTime()) };
}
