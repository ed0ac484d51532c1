import type { Metrics, ShardReading } from "./metrics-object.ts";
import type { SendPiece } from "./recorder.ts";
import { SeriesTable } from "./series-table.ts";
import { sha256, utf8 } from "../ves/index.ts";
import { addLag, type StreamLag, type StreamScope } from "./stream-lag.ts";

/**
 * Objects among which recorders and streams are shared out. Changing it loses nothing that was counted as long as it rises;
 * streams are then listed twice until they report again.
 */
const SHARDS = 4;

/** What a Worker needs to count; without the binding it counts in memory only, and nobody sees it. */
export interface MetricsEnv {
  readonly METRICS?: DurableObjectNamespace<Metrics> | undefined;
}

/** Sends pieces to the shard of their recorder. Null where nothing adds them up. */
export function sendPieces({ METRICS }: MetricsEnv): SendPiece | null {
  return METRICS === undefined ? null : (piece) => shard(METRICS, shardOf(piece.recorder)).add(piece);
}

/** Says how far a stream is. Returns when it counts. */
export async function reportLag(
  { METRICS }: MetricsEnv,
  stream: { readonly tenantId: string; readonly storeId: string },
  lag: StreamLag,
): Promise<void> {
  if (METRICS !== undefined) await shard(METRICS, shardOf(stream.tenantId + stream.storeId)).report(stream, lag);
}

/** Everything that is known, of all shards. @throws when one of them cannot be reached */
export async function readMetrics(METRICS: DurableObjectNamespace<Metrics>, scope: StreamScope): Promise<ShardReading> {
  const readings = await Promise.all(Array.from({ length: SHARDS }, (_, index) => shard(METRICS, index).read(scope)));
  const table = new SeriesTable({}, Infinity);
  for (const { series } of readings) table.merge(series);
  return { series: table.read(), lag: addLag(readings.map(({ lag }) => lag)) };
}

interface Shard {
  add(...args: Parameters<Metrics["add"]>): Promise<void>;
  report(...args: Parameters<Metrics["report"]>): Promise<void>;
  read(...args: Parameters<Metrics["read"]>): Promise<ShardReading>;
}

function shard(METRICS: DurableObjectNamespace<Metrics>, index: number): Shard {
  return METRICS.get(METRICS.idFromName(`shard/${index}`));
}

function shardOf(name: string): number {
  return (sha256(utf8(name))[0] ?? 0) % SHARDS;
}
