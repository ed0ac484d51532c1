import { log } from "../observe/log.ts";
import { LEASE_HONOURED_MS } from "../tenant/lease.ts";
import { registryStub } from "../tenant/registry-client.ts";

/** A registry that takes longer than its lease is worth is as good as away. */
const LEASE_ATTEMPTS = 2;

export interface Lease {
  readonly version: number;
  /** Milliseconds since the epoch, on this object's clock. */
  readonly honouredUntil: number;
}

/** A stream's lease on the version of its tenant's registry (`tenant/lease.ts` says what it is for). */
export class RegistryLease {
  readonly #env: Env;
  readonly #tenantId: string;
  #lease: Lease | null = null;

  constructor(env: Env, tenantId: string) {
    this.#env = env;
    this.#tenantId = tenantId;
  }

  /** A lease that is alive now and not older than `version`, or null when the registry does not answer in time. */
  async current(version: number): Promise<Lease | null> {
    for (let attempt = 0; attempt < LEASE_ATTEMPTS; attempt++) {
      if (this.#lease !== null && Date.now() < this.#lease.honouredUntil && version <= this.#lease.version) {
        return this.#lease;
      }
      this.#lease = await this.#ask();
    }
    // What came too late is no lease: the registry may have stopped waiting for it.
    return this.#lease !== null && Date.now() < this.#lease.honouredUntil ? this.#lease : null;
  }

  async #ask(): Promise<Lease | null> {
    // Counted from before the question: the registry counts from its answer, which can only be later.
    const honouredUntil = Date.now() + LEASE_HONOURED_MS;
    const registry = registryStub(this.#env, this.#tenantId);
    const patience = new AbortController();
    const outOfPatience = scheduler.wait(LEASE_HONOURED_MS, { signal: patience.signal }).then(() => null);
    try {
      const version = await Promise.race([registry.lease(), outOfPatience]);
      return version === null ? null : { version, honouredUntil };
    } catch (error) {
      log.error("the tenant's registry did not answer", { tenant_id: this.#tenantId, error: String(error) });
      return null;
    } finally {
      patience.abort();
    }
  }
}
