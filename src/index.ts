import { createApp } from "./http/app.ts";

export { RateLimiter } from "./limits/rate-limiter.ts";
export { Metrics } from "./observe/metrics-object.ts";
export { StreamSequencer } from "./stream/stream-sequencer.ts";
export { TenantRegistry } from "./tenant/tenant-registry.ts";

const app = createApp();

export default { fetch: app.fetch } satisfies ExportedHandler<Env>;
