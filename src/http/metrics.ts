import { z } from "zod";
import { requireFlag } from "../access/principal.ts";
import { readAnchorBacklog, readAnchorRuns } from "../mirror/anchor-progress.ts";
import { readMirrorCounts, type Scope } from "../mirror/health.ts";
import { EXPOSITION_TYPE, type Gauges, gaugesText, sequencedText, seriesText } from "../observe/exposition.ts";
import { log } from "../observe/log.ts";
import { readMetrics, sendPieces } from "../observe/metrics-client.ts";
import type { ShardReading } from "../observe/metrics-object.ts";
import { recorder } from "../observe/recorder.ts";
import { endpoint } from "./endpoint.ts";

/** Numbers for a Prometheus server. */
export const metricsEndpoints = [
  endpoint({
    method: "GET",
    path: "/metrics",
    tag: "Sequencer",
    summary: "Numbers for Prometheus",
    description: `Streams are those that the credential is for: of its tenant or its stores, or all for the bootstrap key. Counters
and histograms are of the whole deployment, and for the bootstrap key alone. A deployment without a mirror has no numbers of
one, and one that anchors nothing none of that.`,
    response: z.string(),
    mediaType: "text/plain",
    handle: async (c) => {
      const principal = c.get("principal");
      requireFlag(principal, "admin");
      const [reading, mirror] = await Promise.all([askMetrics(c.env, principal), mirrorGauges(c.env, principal)]);
      const text =
        reading === null || reading === "away"
          ? gaugesText({ ...(reading === "away" ? { sequencer_metrics_up: 0 } : {}), ...mirror })
          : gaugesText({ ...lagGauges(reading, Date.now()), ...mirror }) +
            sequencedText(reading.lag.events) +
            // What is counted is not told apart by tenants.
            (principal.tenantId === null ? seriesText(reading.series) : "");
      return c.body(text, 200, { "content-type": EXPOSITION_TYPE });
    },
  }),
];

/** With what this isolate has counted just now. Null where nothing is added up. */
async function askMetrics(env: Env, scope: Scope): Promise<ShardReading | "away" | null> {
  const send = sendPieces(env);
  if (send === null) return null;
  try {
    await recorder.deliver(send);
    return await readMetrics(env.METRICS, scope);
  } catch (error) {
    log.error("reading the metrics failed", { error: String(error) });
    return "away";
  }
}

function lagGauges({ lag }: ShardReading, now: number): Gauges {
  const secondsSince = (time: number | null): number => (time === null ? 0 : Math.max(0, now - time) / 1_000);
  return {
    sequencer_metrics_up: 1,
    sequencer_streams: lag.streams,
    sequencer_streams_unmirrored: lag.unmirroredStreams,
    sequencer_events_unsealed: lag.unsealed,
    sequencer_seal_oldest_unsealed_seconds: secondsSince(lag.unsealedSince),
    sequencer_events_unmirrored: lag.unmirrored,
    sequencer_mirror_oldest_unmirrored_seconds: secondsSince(lag.unmirroredSince),
  };
}

/** While Postgres is away, what it would have counted is left out and not told as 0. */
async function mirrorGauges({ POSTGRES, ANCHOR }: Env, scope: Scope): Promise<Gauges> {
  const hyperdrive: Hyperdrive | undefined = POSTGRES;
  if (hyperdrive === undefined) return {};
  try {
    const [{ frozenStreams, mirroredStreams }, anchoring] = await Promise.all([
      readMirrorCounts(hyperdrive, scope),
      ANCHOR === undefined ? {} : anchorGauges(hyperdrive, scope),
    ]);
    return {
      sequencer_mirror_up: 1,
      sequencer_streams_frozen: frozenStreams,
      sequencer_streams_mirrored: mirroredStreams,
      ...anchoring,
    };
  } catch (error) {
    log.error("reading the numbers of streams from Postgres failed", { error: String(error) });
    return { sequencer_mirror_up: 0 };
  }
}

async function anchorGauges(hyperdrive: Hyperdrive, scope: Scope): Promise<Gauges> {
  const [{ batches, oldestSeconds }, { lastRunAt, lastSuccessAt }] = await Promise.all([
    readAnchorBacklog(hyperdrive, scope),
    readAnchorRuns(hyperdrive, scope),
  ]);
  const secondsSince = (time: Date): number => Math.max(0, Date.now() - time.getTime()) / 1_000;
  return {
    sequencer_batches_unanchored: batches,
    sequencer_anchor_oldest_unanchored_seconds: oldestSeconds,
    ...(lastRunAt === null ? {} : { sequencer_anchor_last_run_seconds: secondsSince(lastRunAt) }),
    ...(lastSuccessAt === null ? {} : { sequencer_anchor_last_success_seconds: secondsSince(lastSuccessAt) }),
  };
}
