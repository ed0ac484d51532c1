import { newSigner } from "../../../scripts/lib/signer.ts";
import { toHex } from "../../../src/ves/index.ts";
import { call, type Reply, url, type Wire } from "./harness.ts";

/*
 * Calls of the agent keys' routes that several suites make.
 */

/** An agent of a new tenant whose key is not registered yet. */
export const agent = async () => newSigner(crypto.randomUUID(), crypto.randomUUID());
export type Agent = Awaited<ReturnType<typeof agent>>;

export interface KeyList {
  readonly keys: readonly {
    readonly key_id: number;
    readonly status: string;
    readonly public_key: string;
    readonly revoked_at: string | null;
  }[];
}

export function registration({ tenantId, agentId, key }: Agent, change: Wire = {}): Wire {
  return { tenantId, agentId, keyId: 1, publicKey: toHex(key.publicKey), ...change };
}

export function post(body: Wire, given: { path?: string; settings?: Record<string, string> } = {}): Promise<Reply> {
  return call("POST", given.path ?? "/api/v1/agents/keys", {
    body,
    ...(given.settings && { settings: given.settings }),
  });
}

export function list(
  { tenantId, agentId }: Pick<Agent, "tenantId" | "agentId">,
  path = "/api/v1/agents/keys",
): Promise<Reply<KeyList>> {
  return call("GET", url(path, { tenant_id: tenantId, agent_id: agentId }));
}
