import { callPatiently } from "../fsck/retry.ts";
import type { Server } from "../lib/client.ts";

/** An agent, as the sequencer lists it to administrators. */
export interface ListedAgent {
  readonly tenantId: string;
  readonly agentId: string;
  readonly permissions: string | null;
  readonly storeScope: string | null;
  readonly apiKeyCount: number;
  readonly activeApiKeys: number;
  readonly lastKeyAt: string | null;
  readonly signingKeyCount: number;
  readonly activeSigningKeys: number;
}

const PAGE = 200;

/** All agents of a tenant, or of all that the credential is for, page by page. */
export async function* agentPages(server: Server, tenantId: string | null): AsyncGenerator<readonly ListedAgent[]> {
  const path = `/api/v1/admin/agents?limit=${PAGE}${tenantId === null ? "" : `&tenant_id=${tenantId}`}`;
  for (let after = ""; ;) {
    const page = await callPatiently<readonly ListedAgent[]>(server, "GET", path + after);
    yield page;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    after = `&after_tenant_id=${last.tenantId}&after_agent_id=${last.agentId}`;
  }
}
