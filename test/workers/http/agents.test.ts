import { expect, it } from "vitest";
import { apiKeyHash } from "../../../src/access/api-key.ts";
import { call, expectError, mint, newAgent, type Reply, url } from "./harness.ts";

interface Agent {
  readonly tenantId: string;
  readonly agentId: string;
}

const newOne = (tenantId: string = crypto.randomUUID()): Agent => ({ tenantId, agentId: crypto.randomUUID() });

function read({ tenantId, agentId }: Agent, key?: string): Promise<Reply> {
  const path = url(`/api/v1/agents/${agentId}`, { tenant_id: key === undefined ? tenantId : undefined });
  return call("GET", path, key === undefined ? {} : { key });
}

/** Times are in milliseconds: what is to be later must be so. */
const later = (): Promise<void> => scheduler.wait(3);

it("tells what the key that changed last gives, and whether it still does", async () => {
  const agent = newOne();
  const storeIds = [crypto.randomUUID(), crypto.randomUUID()];
  const first = await mint(agent, { storeIds, readOnly: true, rateLimit: 90 });
  expect((await read(agent)).body).toEqual({
    ...agent,
    active: true,
    permissions: "read",
    storeIds,
    rateLimit: 90,
  });
  await later();
  await mint(agent);
  const second = { ...agent, active: true, permissions: "read_write", storeIds: [], rateLimit: null };
  expect((await read(agent)).body).toEqual(second);
  await later();
  await mint(agent, { admin: true, expiresAt: new Date(Date.now() + 200).toISOString() });
  expect((await read(agent)).body).toMatchObject({ active: true, permissions: "admin" });
  await scheduler.wait(250);
  expect((await read(agent)).body).toMatchObject({ active: false, permissions: "admin" });
  const path = url(`/api/v1/agents/${agent.agentId}/api-keys/${apiKeyHash(first)}`, { tenant_id: agent.tenantId });
  expect((await call("DELETE", path)).status).toBe(200);
  expect((await read(agent)).body).toMatchObject({ active: false, permissions: "read", storeIds, rateLimit: 90 });
});

it("404 for an agent without a key, the same for one of another tenant", async () => {
  const agent = newOne();
  await mint(agent);
  const admin = await mint(newOne(), { admin: true });
  const message = "There is no such agent with an API key";
  const [foreign, unknown] = [await read(agent, admin), await read(newOne(), admin)];
  expectError(foreign, "RESOURCE_NOT_FOUND", message);
  expectError(unknown, "RESOURCE_NOT_FOUND", message);
  const signing = await newAgent();
  expectError(await read(signing), "RESOURCE_NOT_FOUND", message);
});

it("is for the agent itself and administrators of its tenant", async () => {
  const agent = newOne();
  const own = await mint(agent, { readOnly: true });
  const admin = await mint(newOne(agent.tenantId), { admin: true });
  for (const key of [own, admin]) expect((await read(agent, key)).body).toMatchObject(agent);
  const colleague = await mint(newOne(agent.tenantId));
  expectError(await read(agent, colleague), "INSUFFICIENT_PERMISSIONS", "Admin permission required");
  const named = url(`/api/v1/agents/${agent.agentId}`, { tenant_id: crypto.randomUUID() });
  expectError(await call("GET", named, { key: own }), "INSUFFICIENT_PERMISSIONS", "Tenant access denied");
  const nowhere = await call("GET", `/api/v1/agents/${agent.agentId}`);
  expectError(nowhere, "MISSING_REQUIRED_FIELD", "The bootstrap administrator must name the tenant");
  expectError(await call("GET", "/api/v1/agents/me", { key: own }), "INVALID_FIELD_VALUE", "agent_id: expected a UUID");
});
