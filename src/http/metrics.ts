import { z } from "zod";
import { requireFlag } from "../access/principal.ts";
import { readMirrorCounts } from "../mirror/health.ts";
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
    description: `Streams are those of the credential's tenant, or all for the bootstrap key. A deployment without a mirror
has no numbers of one.`,
    response: z.string(),
    mediaType: "text/plain",
    handle: async (c) => {
      const principal = c.get("principal");
      requireFlag(principal, "admin");
      const gauges = await mirrorGauges(c.env.POSTGRES, principal.tenantId);
      return c.body(gauges.map(gaugeText).join(""), 200, { "content-type": MEDIA_TYPE });
    },
  }),
];

/** While Postgres is away, what it would have counted is left out and not told as 0. */
async function mirrorGauges(hyperdrive: Hyperdrive | undefined, tenantId: string | null): Promise<Gauge[]> {
  if (hyperdrive === undefined) return [];
  const up = { name: "sequencer_mirror_up", help: "Whether Postgres answers." };
  try {
    const { frozenStreams, mirroredStreams } = await readMirrorCounts(hyperdrive, tenantId);
    return [
      { ...up, value: 1 },
      { name: "sequencer_streams_frozen", help: "Streams that take no writes.", value: frozenStreams },
      { name: "sequencer_streams_mirrored", help: "Streams with a batch in Postgres.", value: mirroredStreams },
    ];
  } catch (error) {
    console.error("Postgres did not answer", error);
    return [{ ...up, value: 0 }];
  }
}

function gaugeText({ name, help, value }: Gauge): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${name} ${value}\n`;
}
