import { log } from "../observe/log.ts";
import { registryStub } from "../tenant/registry-client.ts";

/** What is known of an API key: `unknown` while its registry does not answer. */
type KeyState = "valid" | "ended" | "unknown";

/**
 * Which API keys of a stream's subscribers still stand. What was asked is remembered for as long as a Worker remembers it
 * (`API_KEY_CACHE_TTL_SECS`), so that a revoked key sees no more here than in other reads.
 */
export class LiveCredentials {
  readonly #env: Env;
  readonly #tenantId: string;
  readonly #known = new Map<string, { readonly askedAt: number; readonly state: KeyState }>();

  constructor(env: Env, tenantId: string) {
    this.#env = env;
    this.#tenantId = tenantId;
  }

  /** Asks for what is not known, or longer than `maxAgeMs` ago, and forgets every other key. */
  async refresh(keyHashes: ReadonlySet<string>, maxAgeMs: number): Promise<void> {
    for (const known of this.#known.keys()) if (!keyHashes.has(known)) this.#known.delete(known);
    const now = Date.now();
    const due = Array.from(keyHashes).filter((keyHash) => {
      const known = this.#known.get(keyHash);
      return known === undefined || known.state === "unknown" || now - known.askedAt >= maxAgeMs;
    });
    await Promise.all(due.map(async (keyHash) => this.#known.set(keyHash, await this.#ask(keyHash))));
  }

  /** As the last {@link refresh} has found it. */
  stateOf(keyHash: string): KeyState {
    return this.#known.get(keyHash)?.state ?? "unknown";
  }

  async #ask(keyHash: string): Promise<{ readonly askedAt: number; readonly state: KeyState }> {
    // The age counts from before the question: what is answered may have changed right after.
    const askedAt = Date.now();
    try {
      const key = await registryStub(this.#env, this.#tenantId).apiKey(keyHash);
      return { askedAt, state: key === null || key.revokedAt !== null ? "ended" : "valid" };
    } catch (error) {
      log.error("the tenant's registry could not be asked whether an API key still stands", {
        tenant_id: this.#tenantId,
        error: String(error),
      });
      return { askedAt, state: "unknown" };
    }
  }
}
