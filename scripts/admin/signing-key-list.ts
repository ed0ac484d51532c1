import { callPatiently } from "../fsck/retry.ts";
import type { Server } from "../lib/client.ts";

/** A signing key, as the sequencer lists it. */
export interface ListedSigningKey {
  readonly key_id: number;
  readonly agent_id: string;
  readonly public_key: string;
  readonly status: string;
  readonly created_at: string;
  readonly valid_from: string | null;
  readonly valid_to: string | null;
  readonly revoked_at: string | null;
}

/** Signing keys of a tenant's agents, or of one, by agent and key id. */
export async function readSigningKeys(
  server: Server,
  tenantId: string,
  agentId?: string,
): Promise<readonly ListedSigningKey[]> {
  const path = `/api/v1/agents/keys?tenant_id=${tenantId}${agentId === undefined ? "" : `&agent_id=${agentId}`}`;
  return (await callPatiently<{ keys: readonly ListedSigningKey[] }>(server, "GET", path)).keys;
}

/** Revokes it, and returns once no stream can accept an event signed with it any more. May be repeated. */
export async function revokeSigningKey(server: Server, ids: SigningKeyIds): Promise<{ readonly revoked_at: string }> {
  const path = `/api/v1/agents/${ids.agentId}/keys/${ids.keyId}?tenant_id=${ids.tenantId}`;
  return callPatiently(server, "DELETE", path);
}

export interface SigningKeyIds {
  readonly tenantId: string;
  readonly agentId: string;
  readonly keyId: number;
}
