import type { Signer } from "../../../scripts/lib/signer.ts";
import { ANCHOR_AWAY, type Call, event, streamQuery, url } from "./harness.ts";

/** A sound request. `template` is the path as the OpenAPI document writes it. */
export interface Route {
  readonly method: string;
  readonly template: string;
  readonly path: string;
  readonly body?: unknown;
  /** Administrators only. */
  readonly isAdmin?: true;
  /** Concerns no one tenant: a credential of any is served. */
  readonly isUnscoped?: true;
  /** The bootstrap administrator only. */
  readonly isBootstrap?: true;
  /** The deployment that has it, where the tests' own answers it before it looks at who asks. */
  readonly settings?: Call["settings"];
}

/** One sound request for each route that needs a credential, about this agent and its stream. Most change nothing. */
export async function everyRoute(signer: Signer, eventId: string): Promise<readonly Route[]> {
  const { tenantId, storeId, agentId } = signer;
  const stream = streamQuery(signer);
  const tenant = { tenant_id: tenantId };
  const get = (template: string, path: string, query: Record<string, string> = stream): Route => ({
    method: "GET",
    template,
    path: url(path, query),
  });
  const families = ["/api/v1/ves", "/api/v1"].flatMap((base) => [
    get(`${base}/head`, `${base}/head`),
    get(`${base}/events`, `${base}/events`),
    get(`${base}/events/{event_id}`, `${base}/events/${eventId}`),
    get(`${base}/entities/{entity_type}/{entity_id}`, `${base}/entities/order/o1`),
    get(`${base}/commitments`, `${base}/commitments`),
    get(`${base}/commitments/{batch_id}`, `${base}/commitments/${crypto.randomUUID()}`),
    get(`${base}/proofs/{sequence_number}`, `${base}/proofs/1`),
  ]);
  const posts = ["/api/v1/ves", "/api/v1"].flatMap((base): Route[] => {
    const [commit, verify] = [`${base}/commitments`, `${base}/proofs/verify`];
    const claim = { leaf_hash: "00".repeat(32), merkle_root: "00".repeat(32), proof_path: [], leaf_index: 0 };
    return [
      {
        method: "POST",
        template: commit,
        path: commit,
        body: { tenantId, storeId, sequenceStart: 1, sequenceEnd: 1 },
      },
      { method: "POST", template: verify, path: verify, isUnscoped: true, body: claim },
    ];
  });
  const operations = ["/health/detailed", "/metrics"].map((path): Route => ({
    method: "GET",
    template: path,
    path,
    isAdmin: true,
    isUnscoped: true,
  }));
  const ingests = ["/api/v1/ves/events/ingest", "/api/v1/events/ingest"].map(async (path): Promise<Route> => ({
    method: "POST",
    template: path,
    path,
    body: { agentId, events: [await event(signer)] },
  }));
  const keys = ["/api/v1/agents/keys", "/api/v1/agent-keys"].flatMap((path): Route[] => [
    get(path, path, tenant),
    { method: "POST", template: path, path, isAdmin: true, body: { tenantId, agentId, publicKey: "ab".repeat(32) } },
  ]);
  const agent = "/api/v1/agents/{agent_id}";
  const agentPath = `/api/v1/agents/${agentId}`;
  const batchId = crypto.randomUUID();
  const anchors: Route[] = [
    ...["/api/v1/ves/anchor", "/api/v1/anchor"].flatMap((base): Route[] => [
      { method: "POST", template: base, path: base, isAdmin: true, body: { batchId, tenantId, storeId } },
      get(`${base}/{batch_id}/verify`, `${base}/${batchId}/verify`),
    ]),
    {
      method: "POST",
      template: "/api/v1/ves/commitments/{batch_id}/anchor",
      path: url(`/api/v1/ves/commitments/${batchId}/anchor`, stream),
      isAdmin: true,
    },
    {
      method: "POST",
      template: "/api/v1/ves/commitments/anchor",
      path: "/api/v1/ves/commitments/anchor",
      isAdmin: true,
      body: { tenantId, storeId },
    },
  ];
  const anchorServices: Route[] = [
    { method: "GET", template: "/v1/commitments/pending", path: "/v1/commitments/pending", isBootstrap: true },
    {
      method: "POST",
      template: "/v1/commitments/{batch_id}/anchored",
      path: `/v1/commitments/${batchId}/anchored`,
      isBootstrap: true,
      body: { chainTxHash: "00".repeat(32), chainId: 1 },
    },
  ];
  const cursor = { template: "/api/v1/ves/cursors/{agent_id}", path: `/api/v1/ves/cursors/${agentId}` };
  return [
    ...families,
    get("/api/v1/ves/receipts/{event_id}", `/api/v1/ves/receipts/${eventId}`),
    get("/api/v1/ves/commitments/{batch_id}/events", `/api/v1/ves/commitments/${crypto.randomUUID()}/events`),
    get("/api/v1/ves/inclusion-proofs/{event_id}", `/api/v1/ves/inclusion-proofs/${eventId}`),
    {
      method: "POST",
      template: "/api/v1/admin/streams/restore",
      path: "/api/v1/admin/streams/restore",
      isBootstrap: true,
      body: { tenantId, storeId },
    },
    {
      method: "POST",
      template: "/api/v1/admin/streams/reencrypt",
      path: "/api/v1/admin/streams/reencrypt",
      isBootstrap: true,
      body: { tenantId, storeId },
    },
    ...posts,
    ...operations,
    ...anchors.map((route) => ({ ...route, settings: ANCHOR_AWAY })),
    { ...get("/api/v1/anchor/status", "/api/v1/anchor/status", {}), isUnscoped: true },
    ...anchorServices,
    ...(await Promise.all(ingests)),
    ...keys,
    {
      method: "DELETE",
      template: "/api/v1/agent-keys/{key_id}",
      path: url("/api/v1/agent-keys/99", { ...tenant, agent_id: agentId }),
      isAdmin: true,
    },
    { method: "DELETE", template: `${agent}/keys/{key_id}`, path: url(`${agentPath}/keys/99`, tenant), isAdmin: true },
    get(`${agent}/signing-keys`, `${agentPath}/signing-keys`, tenant),
    get(`${agent}/api-keys`, `${agentPath}/api-keys`, tenant),
    { method: "POST", template: `${agent}/api-keys`, path: `${agentPath}/api-keys`, body: { tenantId } },
    {
      method: "DELETE",
      template: `${agent}/api-keys/{key_prefix}`,
      path: url(`${agentPath}/api-keys/0123456789abcdef`, tenant),
    },
    get(`${agent}/policy`, `${agentPath}/policy`, tenant),
    {
      method: "PUT",
      template: `${agent}/policy`,
      path: `${agentPath}/policy`,
      isAdmin: true,
      body: { tenantId, maxPayloadBytes: 0 },
    },
    get(cursor.template, cursor.path),
    { method: "PUT", ...cursor, body: { tenantId, storeId, sequenceNumber: 0 } },
  ];
}
