import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, vi } from "vitest";
import { generateEncryptionKey, registrationBody } from "../../../agent/src/encryption/index.ts";
import { newSigner } from "../../../scripts/lib/signer.ts";
import { apiKeyHash } from "../../../src/access/api-key.ts";
import type { AnchorService } from "../../../src/anchor/messages.ts";
import type { AuditAction, AuditEntry } from "../../../src/audit/entry.ts";
import { withPostgres } from "../../../src/mirror/postgres.ts";
import { streamObjectName } from "../../../src/stream-ref.ts";
import { toHex } from "../../../src/ves/index.ts";
import { newLog, seal } from "./batches.ts";
import { call, mint, registerKey, streamQuery, url } from "./harness.ts";

/*
 * Every route that changes what somebody may do, or acts on streams as a whole: how it is asked soundly, and what the audit
 * log then says. The other routes that are no reads are listed beside them.
 */

export interface Agent {
  readonly tenantId: string;
  readonly storeId: string;
  readonly agentId: string;
}

/** A request that does something once. */
export interface AuditedRequest {
  readonly path: string;
  readonly body?: unknown;
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly entry: Pick<AuditEntry, "action" | "resource" | "store_id"> & {
    /** Those among its details that are checked. */
    readonly details: AuditEntry["details"];
  };
}

export interface AuditedRoute {
  /** Method, and path as the OpenAPI document writes it. */
  readonly route: string;
  readonly isFor: "admins" | "bootstrap" | "public";
  /** Prepares what the request is about. */
  readonly request: (agent: Agent) => Promise<AuditedRequest>;
}

/** Reads under another method, and what agents do every day: the log of events itself says who did it. */
export const NOT_AUDITED = [
  "POST /api/v1/events/ingest",
  "POST /api/v1/ves/events/ingest",
  "POST /api/v1/commitments",
  "POST /api/v1/ves/commitments",
  "POST /api/v1/proofs/verify",
  "POST /api/v1/ves/proofs/verify",
  "POST /api/v1/schemas/validate",
  "PUT /api/v1/ves/cursors/{agent_id}",
];

const ANCHORING: AnchorService = {
  setup: () =>
    Promise.resolve({ kind: "on", chainId: 31_337, contract: "0xc0", sequencer: "0x5e", confirmations: 1 } as const),
  anchorNow: () => Promise.resolve({ kind: "submitted", txHash: null } as const),
  verify: () => Promise.resolve({ kind: "unavailable", message: "not asked" } as const),
};

function entry(
  action: AuditAction,
  [type, id]: readonly [AuditEntry["resource"]["type"], string],
  details: AuditEntry["details"],
  storeId: string | null = null,
): AuditedRequest["entry"] {
  return { action, resource: { type, id }, store_id: storeId, details };
}

const keyRegistrations = ["/api/v1/agents/keys", "/api/v1/agent-keys"].map((path): AuditedRoute => ({
  route: `POST ${path}`,
  isFor: "admins",
  request: async ({ tenantId, storeId }) => {
    const { agentId, key } = await newSigner(tenantId, storeId);
    const publicKey = toHex(key.publicKey);
    return {
      path,
      body: { tenantId, agentId, publicKey },
      entry: entry("agent_key.registered", ["agent_key", `${agentId}/1`], { agent_id: agentId, public_key: publicKey }),
    };
  },
}));

const keyRevocations = [
  {
    template: "/api/v1/agent-keys/{key_id}",
    at: (tenant: string, agent: string) => url("/api/v1/agent-keys/1", { tenant_id: tenant, agent_id: agent }),
  },
  {
    template: "/api/v1/agents/{agent_id}/keys/{key_id}",
    at: (tenant: string, agent: string) => url(`/api/v1/agents/${agent}/keys/1`, { tenant_id: tenant }),
  },
].map(({ template, at }): AuditedRoute => ({
  route: `DELETE ${template}`,
  isFor: "admins",
  request: async ({ tenantId, storeId }) => {
    const signer = await newSigner(tenantId, storeId);
    await registerKey(signer);
    const { agentId } = signer;
    const name = ["agent_key", `${agentId}/1`] as const;
    return { path: at(tenantId, agentId), entry: entry("agent_key.revoked", name, { agent_id: agentId, key_id: 1 }) };
  },
}));

/** A signer whose key is registered, and what registers a new encryption key for it. */
async function newEncryptionKey({ tenantId, storeId }: Agent) {
  const signer = await newSigner(tenantId, storeId);
  await registerKey(signer);
  const key = await generateEncryptionKey();
  const body = await registrationBody({ ...signer, signingKeyId: signer.keyId, signingKey: signer.key, key });
  const path = `/api/v1/agents/${signer.agentId}/encryption-keys`;
  const made = (action: AuditAction & `encryption_key.${string}`) =>
    entry(action, ["encryption_key", `${signer.agentId}/${key.kid}`], {
      agent_id: signer.agentId,
      kid: key.kid,
      public_key: toHex(key.publicKey),
    });
  return { path, kid: key.kid, body, made };
}

const encryptionKeys: readonly AuditedRoute[] = [
  {
    route: "POST /api/v1/agents/{agent_id}/encryption-keys",
    isFor: "admins",
    request: async (agent) => {
      const { path, body, made } = await newEncryptionKey(agent);
      return { path, body, entry: made("encryption_key.registered") };
    },
  },
  {
    route: "DELETE /api/v1/agents/{agent_id}/encryption-keys/{kid}",
    isFor: "admins",
    request: async (agent) => {
      const { path, kid, body, made } = await newEncryptionKey(agent);
      await call("POST", path, { body });
      return {
        path: url(`${path}/${kid}`, { tenant_id: agent.tenantId }),
        entry: made("encryption_key.revoked"),
      };
    },
  },
];

let eventTypes = 0;

/** A schema that is registered now. */
async function newSchema(tenantId: string): Promise<{ readonly id: string; readonly eventType: string }> {
  const body = { tenantId, eventType: `audited.type${++eventTypes}`, schemaJson: true };
  return (await call<{ id: string; eventType: string }>("POST", "/api/v1/schemas", { body })).body;
}

const schemas: readonly AuditedRoute[] = [
  {
    route: "POST /api/v1/schemas",
    isFor: "admins",
    request: ({ tenantId }) => {
      const eventType = `audited.type${++eventTypes}`;
      const details = { event_type: eventType, version: 1 };
      const body = { tenantId, eventType, schemaJson: { type: "object" } };
      const made = entry("schema.registered", ["schema", expect.any(String) as string], details);
      return Promise.resolve({ path: "/api/v1/schemas", body, entry: made });
    },
  },
  {
    route: "PUT /api/v1/schemas/{id}/status",
    isFor: "admins",
    request: async ({ tenantId }) => {
      const { id, eventType } = await newSchema(tenantId);
      const details = { event_type: eventType, version: 1, from: "active", to: "archived" };
      const path = url(`/api/v1/schemas/${id}/status`, { tenant_id: tenantId });
      return { path, body: { status: "archived" }, entry: entry("schema.status_set", ["schema", id], details) };
    },
  },
  {
    route: "DELETE /api/v1/schemas/{id}",
    isFor: "admins",
    request: async ({ tenantId }) => {
      const { id, eventType } = await newSchema(tenantId);
      const path = url(`/api/v1/schemas/${id}`, { tenant_id: tenantId });
      return { path, entry: entry("schema.deleted", ["schema", id], { event_type: eventType, version: 1 }) };
    },
  },
];

const agents: readonly AuditedRoute[] = [
  {
    route: "POST /api/v1/agents/{agent_id}/api-keys",
    isFor: "admins",
    request: ({ tenantId, agentId, storeId }) => {
      const path = `/api/v1/agents/${agentId}/api-keys`;
      const details = { agent_id: agentId, permissions: ["read"], store_ids: [storeId], rate_limit: 7 };
      const body = { tenantId, readOnly: true, storeIds: [storeId], rateLimit: 7 };
      return Promise.resolve({
        path,
        body,
        entry: entry("api_key.minted", ["api_key", expect.stringMatching(/^[0-9a-f]{16}$/) as string], details),
      });
    },
  },
  {
    route: "DELETE /api/v1/agents/{agent_id}/api-keys/{key_prefix}",
    isFor: "admins",
    request: async ({ tenantId }) => {
      const agentId = crypto.randomUUID();
      const prefix = apiKeyHash(await mint({ tenantId, agentId })).slice(0, 16);
      const path = url(`/api/v1/agents/${agentId}/api-keys/${prefix}`, { tenant_id: tenantId });
      return { path, entry: entry("api_key.revoked", ["api_key", prefix], { agent_id: agentId }) };
    },
  },
  {
    route: "PUT /api/v1/agents/{agent_id}/policy",
    isFor: "admins",
    request: ({ tenantId }) => {
      const agentId = crypto.randomUUID();
      const body = { tenantId, allowedEventTypes: ["order.*"], allowedEntityTypes: ["order"] };
      const details = { allowed_event_types: ["order.*"], allowed_entity_types: ["order"], enabled: true };
      const made = entry("agent_policy.set", ["agent_policy", agentId], details);
      return Promise.resolve({ path: `/api/v1/agents/${agentId}/policy`, body, entry: made });
    },
  },
  {
    route: "POST /api/v1/agents/register",
    isFor: "public",
    request: () =>
      Promise.resolve({
        path: "/api/v1/agents/register",
        body: { name: "me" },
        settings: { PUBLIC_AGENT_REGISTRATION_ENABLED: "true" },
        entry: entry("agent.self_registered", ["agent", expect.any(String) as string], {
          permissions: ["read", "write"],
        }),
      }),
  },
];

/** A batch of one event. */
async function newBatch(tenantId: string): Promise<{ readonly batchId: string; readonly storeId: string }> {
  const { signer } = await newLog(1, tenantId);
  const { batch_id: batchId } = await seal(signer, 1, 1);
  return { batchId, storeId: signer.storeId };
}

const anchorings = [
  { template: "/api/v1/ves/anchor", byBody: true },
  { template: "/api/v1/anchor", byBody: true },
  { template: "/api/v1/ves/commitments/{batch_id}/anchor", byBody: false },
].map(({ template, byBody }): AuditedRoute => ({
  route: `POST ${template}`,
  isFor: "admins",
  request: async ({ tenantId }) => {
    const { batchId, storeId } = await newBatch(tenantId);
    const stream = { tenant_id: tenantId, store_id: storeId };
    return {
      path: byBody ? template : url(`/api/v1/ves/commitments/${batchId}/anchor`, stream),
      ...(byBody ? { body: { batchId, ...stream } } : {}),
      settings: { ANCHOR: ANCHORING },
      entry: entry("batch.anchoring_requested", ["batch", batchId], {}, storeId),
    };
  },
}));

/** Waits until Postgres holds the batch. */
function untilMirrored(batchId: string): Promise<void> {
  const found = "SELECT 1 FROM ves_commitments WHERE batch_id = $1";
  return vi.waitFor(async () => {
    const { rows } = await withPostgres(env.POSTGRES, (connection) => connection.query(found, [batchId]));
    expect(rows).toHaveLength(1);
  }, 5_000);
}

const WITHIN_THE_HOUR = { covers_until: expect.stringMatching(/T\d\d:00:00\.000\+00:00$/) as string };

const streams: readonly AuditedRoute[] = [
  {
    route: "POST /api/v1/ves/commitments/anchor",
    isFor: "admins",
    request: async ({ tenantId }) => {
      const { storeId } = (await newLog(2, tenantId)).signer;
      const path = "/api/v1/ves/commitments/anchor";
      const details = { sequence_start: 1, sequence_end: 2, max_events: null };
      const made = entry("stream.anchoring_requested", ["stream", storeId], details, storeId);
      const body = { tenantId, storeId, sequenceStart: 1, sequenceEnd: 2 };
      return { path, body, settings: { ANCHOR: ANCHORING }, entry: made };
    },
  },
  {
    route: "POST /v1/commitments/{batch_id}/anchored",
    isFor: "bootstrap",
    request: async ({ tenantId }) => {
      const { batchId, storeId } = await newBatch(tenantId);
      await untilMirrored(batchId);
      const txHash = `0x${"5e".repeat(32)}`;
      const details = { chain_id: 84_532, tx_hash: txHash, block_number: 77 };
      return {
        path: `/v1/commitments/${batchId}/anchored`,
        body: { chainTxHash: txHash, chainId: 84_532, blockNumber: 77 },
        entry: entry("batch.anchoring_reported", ["batch", batchId], details, storeId),
      };
    },
  },
  {
    route: "POST /api/v1/admin/streams/restore",
    isFor: "bootstrap",
    request: async ({ tenantId }) => {
      const { batchId, storeId } = await newBatch(tenantId);
      await untilMirrored(batchId);
      const stub = env.STREAMS.getByName(streamObjectName({ tenantId, storeId }));
      await runInDurableObject(stub, (_, state) => state.storage.deleteAll());
      await evictDurableObject(stub);
      const made = entry("stream.restoration_requested", ["stream", storeId], WITHIN_THE_HOUR, storeId);
      return { path: "/api/v1/admin/streams/restore", body: { tenantId, storeId }, entry: made };
    },
  },
  {
    route: "POST /api/v1/admin/streams/reencrypt",
    isFor: "bootstrap",
    request: async ({ tenantId }) => {
      const { signer } = await newLog(1, tenantId);
      const { storeId } = signer;
      const made = entry("stream.reencryption_requested", ["stream", storeId], WITHIN_THE_HOUR, storeId);
      return { path: "/api/v1/admin/streams/reencrypt", body: streamQuery(signer), entry: made };
    },
  },
];

export const AUDITED: readonly AuditedRoute[] = [
  ...keyRegistrations,
  ...keyRevocations,
  ...encryptionKeys,
  ...agents,
  ...schemas,
  ...anchorings,
  ...streams,
];
