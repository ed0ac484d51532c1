import type { AgentSnapshot } from "./messages.ts";
import { registryStub } from "./registry-client.ts";

/** Agents whose snapshot an isolate keeps: 5,000 with the usual one or two keys are about 5 MB. */
const MAX_AGENTS = 5_000;
/** Stores known to exist. They are never removed, so knowing one stays true. */
const MAX_STORES = 50_000;

const snapshots = new Map<string, AgentSnapshot>();
const knownStores = new Set<string>();

/**
 * What this isolate last read of an agent, however long ago. That is safe for appends and for nothing else: a stream
 * accepts an append only if the version it was verified at is still the current one.
 */
export function cachedAgent(tenantId: string, agentId: string): AgentSnapshot | undefined {
  return snapshots.get(`${tenantId}/${agentId}`);
}

/** Reads an agent from its registry, and keeps it. */
export async function loadAgent(env: Env, tenantId: string, agentId: string): Promise<AgentSnapshot> {
  const key = `${tenantId}/${agentId}`;
  const snapshot = await registryStub(env, tenantId).agent(agentId);
  snapshots.delete(key);
  snapshots.set(key, snapshot);
  dropOldest(snapshots, MAX_AGENTS);
  return snapshot;
}

/** Whether the store was ever written to. */
export async function storeExists(env: Env, tenantId: string, storeId: string): Promise<boolean> {
  const key = `${tenantId}/${storeId}`;
  if (knownStores.has(key)) return true;
  if (!(await registryStub(env, tenantId).hasStore(storeId))) return false;
  remember(key);
  return true;
}

/** Records in the registry that the store exists, before its stream is written to for the first time. */
export async function ensureStore(env: Env, tenantId: string, storeId: string): Promise<void> {
  const key = `${tenantId}/${storeId}`;
  if (knownStores.has(key)) return;
  await registryStub(env, tenantId).addStore(storeId);
  remember(key);
}

function remember(key: string): void {
  knownStores.add(key);
  dropOldest(knownStores, MAX_STORES);
}

function dropOldest(entries: Map<string, unknown> | Set<string>, max: number): void {
  if (entries.size <= max) return;
  const [oldest] = entries.keys();
  if (oldest !== undefined) entries.delete(oldest);
}
