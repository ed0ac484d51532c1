import type { StorableEvent } from "../../../src/stream/messages.ts";
import type { BenchCall, ObjectAnswer, ObjectCall, Part } from "./messages.ts";
import { partsOf } from "./parts.ts";

// The local server binds the production names, so the benchmark's object stands in under that of the stream's.
export { BenchObject as StreamSequencer } from "./bench-object.ts";
export { RateLimiter } from "../../../src/limits/rate-limiter.ts";
export { Metrics } from "../../../src/observe/metrics-object.ts";
export { TenantRegistry } from "../../../src/tenant/tenant-registry.ts";

interface ObjectStub {
  run(call: ObjectCall): Promise<ObjectAnswer>;
  take(events: readonly StorableEvent[]): Promise<unknown>;
}

let parts: Record<Part, () => unknown> | null = null;

function objectOf(env: Env, name: string): ObjectStub {
  return env.STREAMS.get(env.STREAMS.idFromName(name)) as unknown as ObjectStub;
}

async function answer(call: BenchCall, env: Env): Promise<object> {
  if (call.op === "object") return objectOf(env, call.object).run(call.call);
  if (call.op === "body") {
    // A stub belongs to the request that made it, so each pass makes its own.
    const object = { take: (events: readonly StorableEvent[]) => objectOf(env, "rpc").take(events) };
    parts = await partsOf(call.text, call.publicKey, env, object);
    return {};
  }
  const pass = parts?.[call.part];
  if (pass === undefined) throw new Error("the body comes first");
  for (let round = 0; round < call.rounds; round++) await pass();
  return {};
}

export default {
  fetch: async (request, env) => Response.json(await answer(await request.json<BenchCall>(), env)),
} satisfies ExportedHandler<Env>;
