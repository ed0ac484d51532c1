import type { AppendRequest, AppendResult } from "../../../src/stream/messages.ts";
import { StreamSequencer } from "../../../src/stream/stream-sequencer.ts";

/*
 * The production Worker with one difference: no two requests share a commit. The control of the group commit.
 */

export { Metrics } from "../../../src/observe/metrics-object.ts";
export { TenantRegistry } from "../../../src/tenant/tenant-registry.ts";
export { default } from "../../../src/index.ts";

class OneCommitEach extends StreamSequencer {
  #previous: Promise<unknown> = Promise.resolve();

  /** Hands requests on one at a time, each after the one before is on disk: no turn ever finds two of them. */
  override append(request: AppendRequest): Promise<AppendResult> {
    const result = this.#previous.then(() => super.append(request));
    this.#previous = result.then(() => this.ctx.storage.sync());
    return result;
  }
}

export { OneCommitEach as StreamSequencer };
