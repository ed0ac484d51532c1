import { z } from "zod";
import { requireFlag } from "../access/principal.ts";
import { readAnchorBacklog } from "../mirror/anchor-progress.ts";
import { readMirrorCounts, type Scope } from "../mirror/health.ts";
import { endpoint } from "./endpoint.ts";

const MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8";

interface Gauge {
  readonly name: string;
  readonly help: string;
  readonly value: number;
}

/** Numbers for a Prometheus server. */
export const metricsEndpoints = [
  endpoint({
    method: "GET",
    path: "/metrics",
    tag: "Sequencer",
    summary: "Numbers for Prometheus",
    description: `Streams are those that the credential is for: of its tenant or its stores, or all for the bootstrap key. A
deployment without a mirror has no numbers of one, and one that anchors nothing none of that.`,
    response: z.string(),
    mediaType: "text/plain",
    handle: async (c) => {
      const principal = c.get("principal");
      requireFlag(principal, "admin");
      const gauges = await mirrorGauges(c.env, principal);
      return c.body(gauges.map(gaugeText).join(""), 200, { "content-type": MEDIA_TYPE });
    },
  }),
];

/** While Postgres is away, what it would have counted is left out and not told as 0. */
async function mirrorGauges({ POSTGRES, ANCHOR }: Env, scope: Scope): Promise<Gauge[]> {
  const hyperdrive: Hyperdrive | undefined = POSTGRES;
  if (hyperdrive === undefined) return [];
  const up = { name: "sequencer_mirror_up", help: "Whether the mirror in Postgres can be read." };
  try {
    const [{ frozenStreams, mirroredStreams }, anchoring] = await Promise.all([
      readMirrorCounts(hyperdrive, scope),
      ANCHOR === undefined ? [] : anchorGauges(hyperdrive, scope),
    ]);
    return [
      { ...up, value: 1 },
      { name: "sequencer_streams_frozen", help: "Streams that take no writes.", value: frozenStreams },
      { name: "sequencer_streams_mirrored", help: "Streams with a batch in Postgres.", value: mirroredStreams },
      ...anchoring,
    ];
  } catch (error) {
    console.error(`reading the numbers of streams from Postgres failed: ${String(error)}`);
    return [{ ...up, value: 0 }];
  }
}

async function anchorGauges(hyperdrive: Hyperdrive, scope: Scope): Promise<Gauge[]> {
  const { batches, oldestSeconds } = await readAnchorBacklog(hyperdrive, scope);
  return [
    {
      name: "sequencer_batches_unanchored",
      help: "Batches in Postgres that are not final on chain.",
      value: batches,
    },
    {
      name: "sequencer_anchor_oldest_unanchored_seconds",
      help: "Seconds since the oldest of them was sealed; 0 when there is none.",
      value: oldestSeconds,
    },
  ];
}

function gaugeText({ name, help, value }: Gauge): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${name} ${value}\n`;
}
