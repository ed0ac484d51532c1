import { durableStore } from "../../../src/storage/durable-store.ts";
import { appendEvents } from "../../../src/stream/append.ts";
import { parseStreamObjectName, streamObjectName } from "../../../src/stream-ref.ts";
import { StreamSequencer } from "../../../src/stream/stream-sequencer.ts";
import app from "../../../src/index.ts";
import { factOf } from "../workload.ts";
import { checkedEvent } from "./checked-events.ts";
import { sealFull } from "./seal-full.ts";

/*
 * The production Worker, plus a way to fill a stream with a long past faster than signing and verifying it would allow:
 * POST /fill {tenantId, storeId, events}.
 */

export { Metrics } from "../../../src/observe/metrics-object.ts";
export { TenantRegistry } from "../../../src/tenant/tenant-registry.ts";

export interface FillRequest {
  readonly tenantId: string;
  readonly storeId: string;
  readonly events: number;
}

const FILL_BATCH = 1_000;

class FillableStream extends StreamSequencer {
  async fill(events: number): Promise<void> {
    const store = durableStore(this.ctx);
    const stream = parseStreamObjectName(this.ctx.id.name ?? "");
    const filled = this.head();
    for (let done = 0; done < events; done += FILL_BATCH) {
      const batch = Array.from({ length: Math.min(FILL_BATCH, events - done) }, (_, index) =>
        checkedEvent(factOf(filled + done + index, { prefix: "filled", commandIds: false })),
      );
      appendEvents(store, batch, { sequencedAt: Date.now(), receiptKeyVersion: 1 });
      // As it would have done by itself: or else it had all of its past to seal while it is measured.
      sealFull(store, stream);
      await this.ctx.storage.sync();
    }
  }
}

export { FillableStream as StreamSequencer };

export default {
  async fetch(request, env, ctx) {
    if (new URL(request.url).pathname !== "/fill") return app.fetch(request, env, ctx);
    const { events, ...stream } = await request.json<FillRequest>();
    const object: unknown = env.STREAMS.get(env.STREAMS.idFromName(streamObjectName(stream)));
    await (object as { fill(events: number): Promise<void> }).fill(events);
    return Response.json({});
  },
} satisfies ExportedHandler<Env>;
