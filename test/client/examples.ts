import type { Client } from "openapi-fetch";
import type { paths } from "./generated/api.ts";
import { EVENT_TYPE, SPARE_KEYS, type World } from "./world.ts";

/*
 * A call of every operation, as a program would make it that has its types from docs/openapi.json. All but a few are answered
 * with 200, and they do not depend on each other's order.
 */

export type ApiClient = Client<paths>;

export interface Example {
  /** 200 unless another is given. */
  readonly status?: number;
  readonly call: (api: ApiClient, world: World) => Promise<{ readonly response: Response }>;
}

/** By method and path. */
export const EXAMPLES: Readonly<Record<string, Example>> = {
  "POST /api/v1/ves/events/ingest": {
    call: async (api, { signer, newEvent }) =>
      api.POST("/api/v1/ves/events/ingest", { body: { agentId: signer.agentId, events: [await newEvent()] } }),
  },
  "POST /api/v1/events/ingest": {
    call: async (api, { signer, newEvent }) =>
      api.POST("/api/v1/events/ingest", { body: { agentId: signer.agentId, events: [await newEvent()] } }),
  },
  "GET /api/v1/ves/head": { call: (api, { stream }) => api.GET("/api/v1/ves/head", { params: { query: stream } }) },
  "GET /api/v1/ves/events": {
    call: (api, { stream }) =>
      api.GET("/api/v1/ves/events", { params: { query: { ...stream, from: 1, limit: 10, receipts: "true" } } }),
  },
  "GET /api/v1/ves/events/{event_id}": {
    call: (api, { stream, event }) =>
      api.GET("/api/v1/ves/events/{event_id}", { params: { path: { event_id: event.event_id }, query: stream } }),
  },
  "GET /api/v1/ves/receipts/{event_id}": {
    call: (api, { stream, event }) =>
      api.GET("/api/v1/ves/receipts/{event_id}", { params: { path: { event_id: event.event_id }, query: stream } }),
  },
  "GET /api/v1/ves/entities/{entity_type}/{entity_id}": {
    call: (api, { stream }) =>
      api.GET("/api/v1/ves/entities/{entity_type}/{entity_id}", {
        params: { path: { entity_type: "order", entity_id: "o1" }, query: stream },
      }),
  },
  "POST /api/v1/ves/commitments/anchor": {
    call: (api, { signer: { tenantId, storeId } }) =>
      api.POST("/api/v1/ves/commitments/anchor", { body: { tenantId, storeId, sequenceStart: 1, sequenceEnd: 2 } }),
  },
  "POST /api/v1/ves/commitments": {
    call: (api, { signer: { tenantId, storeId } }) =>
      api.POST("/api/v1/ves/commitments", { body: { tenantId, storeId, sequenceStart: 1, sequenceEnd: 2 } }),
  },
  "GET /api/v1/ves/commitments": {
    call: (api, { stream }) =>
      api.GET("/api/v1/ves/commitments", { params: { query: { ...stream, anchored: "true" } } }),
  },
  "GET /api/v1/ves/live": {
    // It is a WebSocket, and this client asks for none: test/e2e/live.test.ts does.
    status: 426,
    call: (api, { stream }) => api.GET("/api/v1/ves/live", { params: { query: stream } }),
  },
  "GET /api/v1/ves/commitments/{batch_id}": {
    call: (api, { batchId }) =>
      api.GET("/api/v1/ves/commitments/{batch_id}", { params: { path: { batch_id: batchId } } }),
  },
  "GET /api/v1/ves/commitments/{batch_id}/events": {
    call: (api, { stream, batchId }) =>
      api.GET("/api/v1/ves/commitments/{batch_id}/events", { params: { path: { batch_id: batchId }, query: stream } }),
  },
  "POST /api/v1/ves/proofs/verify": {
    call: (api, { proof }) => api.POST("/api/v1/ves/proofs/verify", { body: claimOf(proof) }),
  },
  "GET /api/v1/ves/proofs/{sequence_number}": {
    call: (api, { stream }) =>
      api.GET("/api/v1/ves/proofs/{sequence_number}", { params: { path: { sequence_number: 1 }, query: stream } }),
  },
  "GET /api/v1/ves/inclusion-proofs/{event_id}": {
    call: (api, { stream, event }) =>
      api.GET("/api/v1/ves/inclusion-proofs/{event_id}", {
        params: { path: { event_id: event.event_id }, query: stream },
      }),
  },
  "POST /api/v1/ves/anchor": {
    call: (api, { batchId }) => api.POST("/api/v1/ves/anchor", { body: { batchId } }),
  },
  "POST /api/v1/ves/commitments/{batch_id}/anchor": {
    call: (api, { batchId }) =>
      api.POST("/api/v1/ves/commitments/{batch_id}/anchor", { params: { path: { batch_id: batchId } } }),
  },
  "GET /api/v1/ves/anchor/{batch_id}/verify": {
    call: (api, { batchId }) =>
      api.GET("/api/v1/ves/anchor/{batch_id}/verify", { params: { path: { batch_id: batchId } } }),
  },
  "GET /api/v1/anchor/status": { call: (api) => api.GET("/api/v1/anchor/status") },
  "GET /v1/commitments/pending": {
    call: (api) => api.GET("/v1/commitments/pending", { params: { query: { limit: 10 } } }),
  },
  "POST /v1/commitments/{batch_id}/anchored": {
    call: (api, { batchId, chainTxHash }) =>
      api.POST("/v1/commitments/{batch_id}/anchored", {
        params: { path: { batch_id: batchId } },
        body: { chainTxHash, chainId: 31_337 },
      }),
  },
  "POST /api/v1/agents/keys": {
    call: async (api, { signer: { tenantId, agentId }, newPublicKey }) =>
      api.POST("/api/v1/agents/keys", { body: { tenantId, agentId, publicKey: await newPublicKey() } }),
  },
  "GET /api/v1/agents/keys": {
    call: (api, { tenant }) => api.GET("/api/v1/agents/keys", { params: { query: tenant } }),
  },
  "POST /api/v1/agent-keys": {
    call: async (api, { signer: { tenantId, agentId }, newPublicKey }) =>
      api.POST("/api/v1/agent-keys", { body: { tenantId, agentId, publicKey: await newPublicKey() } }),
  },
  "GET /api/v1/agent-keys": { call: (api, { tenant }) => api.GET("/api/v1/agent-keys", { params: { query: tenant } }) },
  "DELETE /api/v1/agent-keys/{key_id}": {
    call: (api, { signer, tenant }) =>
      api.DELETE("/api/v1/agent-keys/{key_id}", {
        params: { path: { key_id: SPARE_KEYS[0] }, query: { ...tenant, agent_id: signer.agentId } },
      }),
  },
  "DELETE /api/v1/agents/{agent_id}/keys/{key_id}": {
    call: (api, { signer, tenant }) =>
      api.DELETE("/api/v1/agents/{agent_id}/keys/{key_id}", {
        params: { path: { agent_id: signer.agentId, key_id: SPARE_KEYS[1] }, query: tenant },
      }),
  },
  "GET /api/v1/agents/{agent_id}/signing-keys": {
    call: (api, { signer, tenant }) =>
      api.GET("/api/v1/agents/{agent_id}/signing-keys", {
        params: { path: { agent_id: signer.agentId }, query: tenant },
      }),
  },
  "POST /api/v1/agents/{agent_id}/encryption-keys": {
    call: (api, { signer, newEncryptionKey: body }) =>
      api.POST("/api/v1/agents/{agent_id}/encryption-keys", { params: { path: { agent_id: signer.agentId } }, body }),
  },
  "GET /api/v1/agents/{agent_id}/encryption-keys": {
    call: (api, { signer, tenant }) =>
      api.GET("/api/v1/agents/{agent_id}/encryption-keys", {
        params: { path: { agent_id: signer.agentId }, query: tenant },
      }),
  },
  "DELETE /api/v1/agents/{agent_id}/encryption-keys/{kid}": {
    call: (api, { signer, tenant, encryptionKid: kid }) =>
      api.DELETE("/api/v1/agents/{agent_id}/encryption-keys/{kid}", {
        params: { path: { agent_id: signer.agentId, kid }, query: tenant },
      }),
  },
  "POST /api/v1/agents/register": {
    call: (api) => api.POST("/api/v1/agents/register", { body: { name: "A new agent" } }),
  },
  "GET /api/v1/agents/{agent_id}": {
    call: (api, { signer, tenant }) =>
      api.GET("/api/v1/agents/{agent_id}", { params: { path: { agent_id: signer.agentId }, query: tenant } }),
  },
  "POST /api/v1/agents/{agent_id}/api-keys": {
    call: (api, { signer: { agentId, tenantId } }) =>
      api.POST("/api/v1/agents/{agent_id}/api-keys", {
        params: { path: { agent_id: agentId } },
        body: { tenantId, readOnly: true },
      }),
  },
  "GET /api/v1/agents/{agent_id}/api-keys": {
    call: (api, { signer, tenant }) =>
      api.GET("/api/v1/agents/{agent_id}/api-keys", { params: { path: { agent_id: signer.agentId }, query: tenant } }),
  },
  "DELETE /api/v1/agents/{agent_id}/api-keys/{key_prefix}": {
    call: (api, { signer, tenant, keyPrefix }) =>
      api.DELETE("/api/v1/agents/{agent_id}/api-keys/{key_prefix}", {
        params: { path: { agent_id: signer.agentId, key_prefix: keyPrefix }, query: tenant },
      }),
  },
  "GET /api/v1/agents/{agent_id}/policy": {
    call: (api, { signer, tenant }) =>
      api.GET("/api/v1/agents/{agent_id}/policy", { params: { path: { agent_id: signer.agentId }, query: tenant } }),
  },
  "PUT /api/v1/agents/{agent_id}/policy": {
    call: (api, { signer: { agentId, tenantId } }) =>
      api.PUT("/api/v1/agents/{agent_id}/policy", {
        params: { path: { agent_id: agentId } },
        body: { tenantId, allowedEventTypes: ["order.*"], allowedEntityTypes: ["order"], requireBaseVersion: false },
      }),
  },
  "POST /api/v1/schemas": {
    call: (api, { signer: { tenantId } }) =>
      api.POST("/api/v1/schemas", { body: { tenantId, eventType: "order.new", schemaJson: { type: "object" } } }),
  },
  "GET /api/v1/schemas": { call: (api, { tenant }) => api.GET("/api/v1/schemas", { params: { query: tenant } }) },
  "POST /api/v1/schemas/validate": {
    call: (api, { signer: { tenantId } }) =>
      api.POST("/api/v1/schemas/validate", { body: { tenantId, eventType: EVENT_TYPE, payload: { total: 1 } } }),
  },
  "GET /api/v1/schemas/event-type/{event_type}": {
    call: (api, { tenant }) =>
      api.GET("/api/v1/schemas/event-type/{event_type}", {
        params: { path: { event_type: EVENT_TYPE }, query: tenant },
      }),
  },
  "GET /api/v1/schemas/event-type/{event_type}/latest": {
    call: (api, { tenant }) =>
      api.GET("/api/v1/schemas/event-type/{event_type}/latest", {
        params: { path: { event_type: EVENT_TYPE }, query: tenant },
      }),
  },
  "GET /api/v1/schemas/{id}": {
    call: (api, { tenant, schemaIds: [id] }) =>
      api.GET("/api/v1/schemas/{id}", { params: { path: { id }, query: tenant } }),
  },
  "DELETE /api/v1/schemas/{id}": {
    call: (api, { tenant, schemaIds: [, id] }) =>
      api.DELETE("/api/v1/schemas/{id}", { params: { path: { id }, query: tenant } }),
  },
  "PUT /api/v1/schemas/{id}/status": {
    call: (api, { tenant, schemaIds: [id] }) =>
      api.PUT("/api/v1/schemas/{id}/status", {
        params: { path: { id }, query: tenant },
        body: { status: "active" },
      }),
  },
  "GET /api/v1/ves/cursors/{agent_id}": {
    call: (api, { signer, stream }) =>
      api.GET("/api/v1/ves/cursors/{agent_id}", { params: { path: { agent_id: signer.agentId }, query: stream } }),
  },
  "PUT /api/v1/ves/cursors/{agent_id}": {
    call: (api, { signer: { agentId, tenantId, storeId } }) =>
      api.PUT("/api/v1/ves/cursors/{agent_id}", {
        params: { path: { agent_id: agentId } },
        body: { tenantId, storeId, sequenceNumber: 1 },
      }),
  },
  "GET /api/v1/sequencer/keys": { call: (api) => api.GET("/api/v1/sequencer/keys") },
  "GET /health": { call: (api) => api.GET("/health") },
  "GET /ready": { call: (api) => api.GET("/ready") },
  "POST /api/v1/admin/streams/restore": {
    // The stream is not empty.
    status: 409,
    call: (api, { signer: { tenantId, storeId } }) =>
      api.POST("/api/v1/admin/streams/restore", { body: { tenantId, storeId } }),
  },
  "POST /api/v1/admin/streams/reencrypt": {
    call: (api, { signer: { tenantId, storeId } }) =>
      api.POST("/api/v1/admin/streams/reencrypt", { body: { tenantId, storeId, dryRun: true } }),
  },
  "GET /health/detailed": { call: (api) => api.GET("/health/detailed") },
  "GET /metrics": { call: (api) => api.GET("/metrics", { parseAs: "text" }) },
  "GET /api/v1/head": { call: (api, { stream }) => api.GET("/api/v1/head", { params: { query: stream } }) },
  "GET /api/v1/events": { call: (api, { stream }) => api.GET("/api/v1/events", { params: { query: stream } }) },
  "GET /api/v1/events/{event_id}": {
    call: (api, { stream, event }) =>
      api.GET("/api/v1/events/{event_id}", { params: { path: { event_id: event.event_id }, query: stream } }),
  },
  "GET /api/v1/entities/{entity_type}/{entity_id}": {
    call: (api, { stream }) =>
      api.GET("/api/v1/entities/{entity_type}/{entity_id}", {
        params: { path: { entity_type: "order", entity_id: "o1" }, query: stream },
      }),
  },
  "POST /api/v1/commitments": {
    call: (api, { signer: { tenantId, storeId } }) =>
      api.POST("/api/v1/commitments", { body: { tenantId, storeId, sequenceStart: 1, sequenceEnd: 2 } }),
  },
  "GET /api/v1/commitments": {
    call: (api, { stream }) => api.GET("/api/v1/commitments", { params: { query: stream } }),
  },
  "GET /api/v1/commitments/{batch_id}": {
    call: (api, { batchId }) => api.GET("/api/v1/commitments/{batch_id}", { params: { path: { batch_id: batchId } } }),
  },
  "POST /api/v1/proofs/verify": {
    call: (api, { proof }) => api.POST("/api/v1/proofs/verify", { body: claimOf(proof) }),
  },
  "GET /api/v1/proofs/{sequence_number}": {
    call: (api, { stream }) =>
      api.GET("/api/v1/proofs/{sequence_number}", { params: { path: { sequence_number: 1 }, query: stream } }),
  },
  "POST /api/v1/anchor": { call: (api, { batchId }) => api.POST("/api/v1/anchor", { body: { batchId } }) },
  "GET /api/v1/anchor/{batch_id}/verify": {
    call: (api, { batchId }) =>
      api.GET("/api/v1/anchor/{batch_id}/verify", { params: { path: { batch_id: batchId } } }),
  },
  "GET /api/v1/audit": {
    call: (api, { tenant }) => api.GET("/api/v1/audit", { params: { query: { ...tenant, from: 1, limit: 10 } } }),
  },
  "GET /api/v1/admin/overview": {
    call: (api, { tenant }) => api.GET("/api/v1/admin/overview", { params: { query: tenant } }),
  },
  "GET /api/v1/admin/tenants": {
    call: (api) => api.GET("/api/v1/admin/tenants", { params: { query: { limit: 10 } } }),
  },
  "GET /api/v1/admin/stores": {
    call: (api, { tenant }) => api.GET("/api/v1/admin/stores", { params: { query: tenant } }),
  },
  "GET /api/v1/admin/agents": {
    call: (api, { tenant }) => api.GET("/api/v1/admin/agents", { params: { query: tenant } }),
  },
  "GET /api/v1/admin/batches": {
    call: (api, { tenant }) => api.GET("/api/v1/admin/batches", { params: { query: tenant } }),
  },
};

function claimOf(proof: World["proof"]) {
  return {
    leafHash: proof.leaf_hash,
    merkleRoot: proof.merkle_root,
    proofPath: proof.proof_path,
    leafIndex: proof.leaf_index,
    leafCount: proof.leaf_count,
  };
}
