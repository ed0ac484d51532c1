import type { AgentSnapshot, CheckSnapshot } from "./messages.ts";
import { registryStub } from "./registry-client.ts";
import { cachedSchemas, keepSchemas } from "./schema-directory.ts";

/** What an isolate keeps of agents, in bytes as estimated by {@link sizeOf}: 16,000 agents with the usual one key. */
const MAX_SNAPSHOT_BYTES = 8 * 1024 * 1024;
/** Stores known to exist. They are never removed, so knowing one stays true. */
const MAX_STORES = 50_000;

const snapshots = new Map<string, AgentSnapshot>();
let snapshotBytes = 0;
const knownStores = new Set<string>();

/**
 * What this isolate last read of an agent and of these event types' schemas, if it read them at one version, however long
 * ago. That is safe for appends and for nothing else: a stream accepts an append only if the version it was verified at
 * is still the current one.
 */
export function cachedSnapshot(
  tenantId: string,
  agentId: string,
  eventTypes: readonly string[],
): CheckSnapshot | undefined {
  const agent = snapshots.get(`${tenantId}/${agentId}`);
  const schemas = agent && cachedSchemas(tenantId, agent.version, eventTypes);
  return schemas && { ...agent, schemas };
}

/** Reads an agent and the schemas from their registry, and keeps them. */
export async function loadSnapshot(
  env: Env,
  tenantId: string,
  agentId: string,
  eventTypes: readonly string[],
): Promise<CheckSnapshot> {
  const key = `${tenantId}/${agentId}`;
  const loaded = await registryStub(env, tenantId).agent(agentId, eventTypes);
  const { schemas, ...snapshot } = loaded;
  keepSchemas(tenantId, snapshot.version, schemas);
  forget(key);
  snapshots.set(key, snapshot);
  snapshotBytes += sizeOf(snapshot);
  for (const oldest of snapshots.keys()) {
    if (snapshotBytes <= MAX_SNAPSHOT_BYTES) break;
    forget(oldest);
  }
  return loaded;
}

/** Whether the store was ever written to. */
export async function storeExists(env: Env, tenantId: string, storeId: string): Promise<boolean> {
  const key = `${tenantId}/${storeId}`;
  if (knownStores.has(key)) return true;
  if (!(await registryStub(env, tenantId).hasStore(storeId))) return false;
  remember(key);
  return true;
}

/**
 * Records in the registry that the store exists, before its stream is written to for the first time. True when this was
 * what made it known.
 */
export async function ensureStore(env: Env, tenantId: string, storeId: string): Promise<boolean> {
  const key = `${tenantId}/${storeId}`;
  if (knownStores.has(key)) return false;
  const isNew = await registryStub(env, tenantId).addStore(storeId);
  remember(key);
  return isNew;
}

function remember(key: string): void {
  knownStores.add(key);
  if (knownStores.size <= MAX_STORES) return;
  const [oldest] = knownStores;
  if (oldest !== undefined) knownStores.delete(oldest);
}

function forget(key: string): void {
  const snapshot = snapshots.get(key);
  if (snapshot === undefined) return;
  snapshots.delete(key);
  snapshotBytes -= sizeOf(snapshot);
}

function sizeOf({ keys, policy }: AgentSnapshot): number {
  return 256 + keys.length * 256 + 2 * JSON.stringify(policy).length;
}
