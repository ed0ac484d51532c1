import type { Signer } from "../../../scripts/lib/signer.ts";
import { ANCHOR_AWAY, type Call, event, streamQuery, url } from "./harness.ts";

/** Whom a route serves. What becomes of each kind of credential is in access-table.test.ts. */
export type Access =
  /** Who may read the store. */
  | "store-read"
  | "store-write"
  /** The same, and it must not be the credential of another agent. */
  | "ingest"
  | "tenant-read"
  | "tenant-write"
  | "store-admin"
  | "tenant-admin"
  /** Administrators who may write to the store too. */
  | "sealing-admin"
  /** The agent itself, or an administrator of its tenant. */
  | "own-agent"
  /** The same, unless it may only read. */
  | "own-agent-write"
  /** The agent or an administrator, if it may read the store too. */
  | "own-cursor"
  /** Concerns no one tenant: readers or administrators of any. */
  | "any-reader"
  | "any-admin"
  /** The bootstrap administrator only. */
  | "bootstrap"
  | "public";

/** A sound request. `template` is the path as the OpenAPI document writes it. */
export interface Route {
  readonly method: string;
  readonly template: string;
  readonly path: string;
  readonly body?: unknown;
  readonly access: Access;
  /** What is answered to whom it serves, when all events of the stream are sealed. */
  readonly status: number;
  /** The deployment that has it, where the tests' own answers it before it looks at who asks. */
  readonly settings?: Call["settings"];
}

/** One sound request for each route, about this agent and its stream. Most change nothing. */
export async function everyRoute(signer: Signer, eventId: string): Promise<readonly Route[]> {
  const { tenantId, storeId, agentId } = signer;
  const stream = streamQuery(signer);
  const tenant = { tenant_id: tenantId };
  const get = (template: string, path: string, query: Record<string, string> = stream): Route => ({
    method: "GET",
    template,
    path: url(path, query),
    access: query === stream ? "store-read" : "tenant-read",
    status: 200,
  });
  const families = ["/api/v1/ves", "/api/v1"].flatMap((base) => [
    get(`${base}/head`, `${base}/head`),
    get(`${base}/events`, `${base}/events`),
    get(`${base}/events/{event_id}`, `${base}/events/${eventId}`),
    get(`${base}/entities/{entity_type}/{entity_id}`, `${base}/entities/order/o1`),
    get(`${base}/commitments`, `${base}/commitments`),
    { ...get(`${base}/commitments/{batch_id}`, `${base}/commitments/${crypto.randomUUID()}`), status: 404 },
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
        access: "store-write",
        status: 400,
        body: { tenantId, storeId, sequenceStart: 1, sequenceEnd: 1 },
      },
      { method: "POST", template: verify, path: verify, access: "any-reader", status: 200, body: claim },
    ];
  });
  const numbers = ["overview", "tenants", "stores", "agents", "batches"].map((name) => `/api/v1/admin/${name}`);
  const operations = ["/health/detailed", "/metrics", ...numbers].map((path): Route => ({
    method: "GET",
    template: path,
    path,
    access: "any-admin",
    status: 200,
  }));
  const ingests = ["/api/v1/ves/events/ingest", "/api/v1/events/ingest"].map(async (path): Promise<Route> => ({
    method: "POST",
    template: path,
    path,
    access: "ingest",
    status: 200,
    body: { agentId, events: [await event(signer)] },
  }));
  const keys = ["/api/v1/agents/keys", "/api/v1/agent-keys"].flatMap((path): Route[] => [
    get(path, path, tenant),
    {
      method: "POST",
      template: path,
      path,
      access: "tenant-admin",
      status: 400,
      body: { tenantId, agentId, publicKey: "ab".repeat(32) },
    },
  ]);
  const agent = "/api/v1/agents/{agent_id}";
  const agentPath = `/api/v1/agents/${agentId}`;
  const batchId = crypto.randomUUID();
  const anchors: Route[] = [
    ...["/api/v1/ves/anchor", "/api/v1/anchor"].flatMap((base): Route[] => [
      {
        method: "POST",
        template: base,
        path: base,
        access: "store-admin",
        status: 404,
        body: { batchId, tenantId, storeId },
      },
      { ...get(`${base}/{batch_id}/verify`, `${base}/${batchId}/verify`), status: 404 },
    ]),
    {
      method: "POST",
      template: "/api/v1/ves/commitments/{batch_id}/anchor",
      path: url(`/api/v1/ves/commitments/${batchId}/anchor`, stream),
      access: "store-admin",
      status: 404,
    },
    {
      method: "POST",
      template: "/api/v1/ves/commitments/anchor",
      path: "/api/v1/ves/commitments/anchor",
      access: "sealing-admin",
      status: 400,
      body: { tenantId, storeId },
    },
  ];
  const anchorServices: Route[] = [
    {
      method: "GET",
      template: "/v1/commitments/pending",
      path: "/v1/commitments/pending",
      access: "bootstrap",
      status: 200,
    },
    {
      method: "POST",
      template: "/v1/commitments/{batch_id}/anchored",
      path: `/v1/commitments/${batchId}/anchored`,
      access: "bootstrap",
      status: 404,
      body: { chainTxHash: "00".repeat(32), chainId: 1 },
    },
  ];
  const unknown = crypto.randomUUID();
  const schemas = "/api/v1/schemas";
  const ofType = { path: `${schemas}/event-type/order.created`, template: `${schemas}/event-type/{event_type}` };
  const eventSchemas: Route[] = [
    get(schemas, schemas, tenant),
    get(ofType.template, ofType.path, tenant),
    get(`${ofType.template}/latest`, `${ofType.path}/latest`, tenant),
    { ...get(`${schemas}/{id}`, `${schemas}/${unknown}`, tenant), status: 404 },
    {
      method: "POST",
      template: schemas,
      path: schemas,
      access: "tenant-write",
      status: 200,
      body: { tenantId, eventType: "order.created", schemaJson: true },
    },
    {
      method: "POST",
      template: `${schemas}/validate`,
      path: `${schemas}/validate`,
      access: "tenant-read",
      status: 200,
      body: { tenantId, eventType: "order.created", payload: {} },
    },
    {
      method: "PUT",
      template: `${schemas}/{id}/status`,
      path: url(`${schemas}/${unknown}/status`, tenant),
      access: "tenant-write",
      status: 404,
      body: { status: "archived" },
    },
    {
      method: "DELETE",
      template: `${schemas}/{id}`,
      path: url(`${schemas}/${unknown}`, tenant),
      access: "tenant-admin",
      status: 404,
    },
  ];
  const cursor = { template: "/api/v1/ves/cursors/{agent_id}", path: `/api/v1/ves/cursors/${agentId}` };
  return [
    ...families,
    { ...get("/api/v1/ves/live", "/api/v1/ves/live"), status: 426 },
    get("/api/v1/ves/receipts/{event_id}", `/api/v1/ves/receipts/${eventId}`),
    {
      ...get("/api/v1/ves/commitments/{batch_id}/events", `/api/v1/ves/commitments/${crypto.randomUUID()}/events`),
      status: 404,
    },
    get("/api/v1/ves/inclusion-proofs/{event_id}", `/api/v1/ves/inclusion-proofs/${eventId}`),
    {
      method: "POST",
      template: "/api/v1/admin/streams/restore",
      path: "/api/v1/admin/streams/restore",
      access: "bootstrap",
      status: 409,
      body: { tenantId, storeId },
    },
    {
      method: "POST",
      template: "/api/v1/admin/streams/reencrypt",
      path: "/api/v1/admin/streams/reencrypt",
      access: "bootstrap",
      status: 200,
      body: { tenantId, storeId },
    },
    ...posts,
    ...operations,
    ...anchors.map((route) => ({ ...route, settings: ANCHOR_AWAY })),
    { ...get("/api/v1/anchor/status", "/api/v1/anchor/status", {}), access: "any-reader" },
    ...anchorServices,
    ...(await Promise.all(ingests)),
    ...keys,
    {
      method: "DELETE",
      template: "/api/v1/agent-keys/{key_id}",
      path: url("/api/v1/agent-keys/99", { ...tenant, agent_id: agentId }),
      access: "tenant-admin",
      status: 404,
    },
    {
      method: "DELETE",
      template: `${agent}/keys/{key_id}`,
      path: url(`${agentPath}/keys/99`, tenant),
      access: "tenant-admin",
      status: 404,
    },
    get(`${agent}/signing-keys`, `${agentPath}/signing-keys`, tenant),
    get(`${agent}/encryption-keys`, `${agentPath}/encryption-keys`, tenant),
    {
      method: "POST",
      template: `${agent}/encryption-keys`,
      path: `${agentPath}/encryption-keys`,
      access: "own-agent-write",
      status: 400,
      body: {
        tenantId,
        kid: 1,
        publicKey: "00".repeat(32),
        signingKeyId: 1,
        signedAt: "2026-01-01T00:00:00Z",
        signature: "00".repeat(64),
      },
    },
    {
      method: "DELETE",
      template: `${agent}/encryption-keys/{kid}`,
      path: url(`${agentPath}/encryption-keys/1`, tenant),
      access: "own-agent-write",
      status: 404,
    },
    { ...get(agent, agentPath, tenant), access: "own-agent" },
    { ...get(`${agent}/api-keys`, `${agentPath}/api-keys`, tenant), access: "own-agent" },
    {
      method: "POST",
      template: `${agent}/api-keys`,
      path: `${agentPath}/api-keys`,
      access: "own-agent",
      status: 200,
      body: { tenantId },
    },
    {
      method: "DELETE",
      template: `${agent}/api-keys/{key_prefix}`,
      path: url(`${agentPath}/api-keys/0123456789abcdef`, tenant),
      access: "own-agent",
      status: 404,
    },
    { ...get(`${agent}/policy`, `${agentPath}/policy`, tenant), status: 404 },
    {
      method: "PUT",
      template: `${agent}/policy`,
      path: `${agentPath}/policy`,
      access: "tenant-admin",
      status: 400,
      body: { tenantId, maxPayloadBytes: 0 },
    },
    ...eventSchemas,
    { ...get("/api/v1/audit", "/api/v1/audit", tenant), access: "tenant-admin" },
    { ...get(cursor.template, cursor.path), access: "own-cursor" },
    {
      method: "PUT",
      ...cursor,
      access: "own-cursor",
      status: 200,
      body: { tenantId, storeId, sequenceNumber: 0 },
    },
    ...["/health", "/ready", "/api/v1/sequencer/keys"].map((path): Route => ({
      ...get(path, path, {}),
      access: "public",
    })),
    {
      method: "POST",
      template: "/api/v1/agents/register",
      path: "/api/v1/agents/register",
      access: "public",
      status: 403,
      body: { name: "me" },
    },
  ];
}
