import { z } from "zod";
import type { AgentNumbers } from "../mirror/agent-numbers.ts";
import type { RecentBatch } from "../mirror/recent-batches.ts";
import type { StoreNumbers } from "../mirror/store-numbers.ts";
import type { Numbers, Overview, TenantNumbers } from "../mirror/tenant-numbers.ts";
import { toHex, toRfc3339Offset } from "../ves/index.ts";
import { describePermissions, permissionsText } from "./api-key-json.ts";
import { hexText, sequenceNumber, timeOrNull, timeText, uuidText } from "./schemas.ts";

const count = z.int().min(0);
const head = count.describe("The last number that is mirrored; 0 for none");
const noProjections = z.null().describe("Nothing is projected");
const notMirrored = z.null().describe("Not known: what an agent has read is noted in its streams alone");

const numbers = {
  apiKeyCount: count.describe("Minted API keys, revoked and expired ones included"),
  activeApiKeys: count,
  totalHeadSequence: count.describe("The heads of all streams together, as far as they are mirrored"),
  activeStores24h: count.describe("Stores whose last event is not older than 24 hours"),
  maxProjectionLag: noProjections,
  lastActivityAt: timeText.nullable().describe("When the last event was sequenced"),
};

const { apiKeyCount, ...otherNumbers } = numbers;

export const overviewResponse = z
  .object({ tenants: count, stores: count, agents: count, apiKeys: apiKeyCount, ...otherNumbers })
  .meta({ id: "AdminOverview" });

export const tenantRow = z
  .object({
    tenantId: uuidText,
    agentCount: count,
    storeCount: count,
    ...numbers,
    lastKeyAt: timeText.nullable().describe("When its latest API key was minted"),
  })
  .meta({ id: "AdminTenant" });

export const storeRow = z
  .object({
    tenantId: uuidText,
    storeId: uuidText,
    headSequence: head,
    anchoredSequence: count.describe("End of the unbroken run of anchored batches from 1"),
    frozenReason: z.string().nullable().describe("Why the stream takes no writes; null when it does"),
    lastProjectedSequence: noProjections,
    projectionLag: noProjections,
    agentCount: count.describe("Agents with an active API key for the store"),
    lastAgentSyncAt: notMirrored,
    updatedAt: timeText.describe("When its last event was sequenced, or else when it was first written to"),
  })
  .meta({ id: "AdminStore" });

export const agentRow = z
  .object({
    tenantId: uuidText,
    agentId: uuidText,
    permissions: permissionsText.nullable().describe("What its active API keys allow together; null when it has none"),
    storeScope: z.enum(["all", "scoped"]).nullable().describe("Of its active API keys; null when it has none"),
    storeId: uuidText.nullable().describe("The one store that they are for; null when that is none or several"),
    apiKeyCount,
    activeApiKeys: count,
    firstKeyAt: timeText.nullable().describe("When its first API key was minted"),
    lastKeyAt: timeText.nullable().describe("When its latest API key was minted"),
    signingKeyCount: count.describe("Registered signing keys, revoked and expired ones included"),
    activeSigningKeys: count,
    lastSyncAt: notMirrored,
    lastPushedSequence: notMirrored,
    lastPulledSequence: notMirrored,
  })
  .meta({ id: "AdminAgent" });

export const batchRow = z
  .object({
    tenantId: uuidText,
    storeId: uuidText,
    batchId: uuidText,
    sequenceStart: sequenceNumber,
    sequenceEnd: sequenceNumber,
    merkleRoot: hexText,
    committedAt: timeText,
    anchorStatus: z.enum(["pending", "submitted", "anchored"]),
  })
  .meta({ id: "AdminBatch" });

export function overviewJson(overview: Overview): z.output<typeof overviewResponse> {
  const { apiKeyCount: apiKeys, ...rest } = numbersJson(overview);
  return { tenants: overview.tenants, stores: overview.stores, agents: overview.agents, apiKeys, ...rest };
}

export function tenantJson(tenant: TenantNumbers): z.output<typeof tenantRow> {
  return {
    tenantId: tenant.tenantId,
    agentCount: tenant.agents,
    storeCount: tenant.stores,
    ...numbersJson(tenant),
    lastKeyAt: textOf(tenant.lastKeyAt),
  };
}

export function storeJson(store: StoreNumbers): z.output<typeof storeRow> {
  return {
    tenantId: store.stream.tenantId,
    storeId: store.stream.storeId,
    headSequence: store.headSequence,
    anchoredSequence: store.anchoredSequence,
    frozenReason: store.frozenReason,
    lastProjectedSequence: null,
    projectionLag: null,
    agentCount: store.agents,
    lastAgentSyncAt: null,
    updatedAt: toRfc3339Offset(store.updatedAt.getTime()),
  };
}

export function agentJson(agent: AgentNumbers): z.output<typeof agentRow> {
  const { permissions, storeIds } = agent;
  return {
    tenantId: agent.tenantId,
    agentId: agent.agentId,
    permissions: permissions === null ? null : describePermissions(permissions),
    storeScope: permissions === null ? null : storeIds === null ? "all" : "scoped",
    storeId: storeIds?.length === 1 ? (storeIds[0] ?? null) : null,
    apiKeyCount: agent.apiKeys,
    activeApiKeys: agent.activeApiKeys,
    firstKeyAt: textOf(agent.firstKeyAt),
    lastKeyAt: textOf(agent.lastKeyAt),
    signingKeyCount: agent.signingKeys,
    activeSigningKeys: agent.activeSigningKeys,
    lastSyncAt: null,
    lastPushedSequence: null,
    lastPulledSequence: null,
  };
}

export function batchJson(batch: RecentBatch): z.output<typeof batchRow> {
  return {
    tenantId: batch.stream.tenantId,
    storeId: batch.stream.storeId,
    batchId: batch.batchId,
    sequenceStart: batch.sequenceStart,
    sequenceEnd: batch.sequenceEnd,
    merkleRoot: toHex(batch.merkleRoot),
    committedAt: toRfc3339Offset(batch.committedAt.getTime()),
    anchorStatus: batch.status,
  };
}

function numbersJson(given: Numbers) {
  return {
    apiKeyCount: given.apiKeys,
    activeApiKeys: given.activeApiKeys,
    totalHeadSequence: given.totalHeadSequence,
    activeStores24h: given.activeStores24h,
    maxProjectionLag: null,
    lastActivityAt: textOf(given.lastActivityAt),
  };
}

function textOf(time: Date | null): string | null {
  return timeOrNull(time?.getTime() ?? null);
}
