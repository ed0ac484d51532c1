/** An API key, as the sequencer lists it. */
export interface ListedApiKey {
  readonly keyHashPrefix: string;
  readonly active: boolean;
  readonly permissions: string;
  readonly storeIds: readonly string[] | null;
  readonly rateLimit: number | null;
  readonly createdAt: string;
  readonly expiresAt: string | null;
  readonly revokedAt: string | null;
}

export interface ApiKeyList {
  readonly keys: readonly ListedApiKey[];
  readonly count: number;
}

export function apiKeysPath(tenantId: string, agentId: string): string {
  return `/api/v1/agents/${agentId}/api-keys?tenant_id=${tenantId}`;
}
