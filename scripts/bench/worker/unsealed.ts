import { StreamSequencer } from "../../../src/stream/stream-sequencer.ts";

/*
 * The production Worker with one difference: streams never seal. The control of what sealing costs.
 */

export { Metrics } from "../../../src/observe/metrics-object.ts";
export { TenantRegistry } from "../../../src/tenant/tenant-registry.ts";
export { default } from "../../../src/index.ts";

class Unsealed extends StreamSequencer {
  /** The alarm is set as ever, once, and then counts as set. */
  override alarm(): void {}
}

export { Unsealed as StreamSequencer };
