import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, test, vi } from "vitest";
import { SOMEBODY } from "../../support/audit.ts";
import { uuid } from "../../support/checked-events.ts";
import { postgres } from "./streams.ts";

const byte = (n: number): Uint8Array => new Uint8Array(32).fill(n);

function newRegistry() {
  const tenantId = crypto.randomUUID();
  return { tenantId, registry: env.TENANTS.getByName(tenantId) };
}

function keysOf(tenantId: string) {
  return postgres(
    `SELECT agent_id, key_id, encode(public_key, 'hex') AS public_key, valid_from, valid_to, revoked_at IS NOT NULL AS revoked
       FROM agent_signing_keys WHERE tenant_id = $1 ORDER BY agent_id, key_id`,
    tenantId,
  );
}

describe("the registry's mirror", { timeout: 20_000 }, () => {
  test("stores, agents and the public parts of keys are in Postgres within moments, and later changes of them too", async () => {
    const { tenantId, registry } = newRegistry();
    await registry.addStore(uuid(5, 1));
    await registry.addStore(uuid(5, 2));
    const key = { agentId: uuid(3, 1), keyId: null, publicKey: byte(7), validFrom: 1_790_000_000_123, validTo: null };
    await registry.registerKey(key, SOMEBODY);
    await registry.registerKey({ ...key, publicKey: byte(8), validFrom: null, validTo: 1_890_000_000_000 }, SOMEBODY);
    const apiKey = {
      keyHash: "ab".repeat(32),
      agentId: uuid(3, 2),
      storeIds: null,
      permissions: { read: true, write: false, admin: false },
      rateLimit: null,
      limitKeyHash: null,
      expiresAt: null,
    };
    await registry.addApiKey(apiKey, SOMEBODY);
    const first = { agent_id: uuid(3, 1), key_id: "1", public_key: "07".repeat(32), revoked: false };
    const second = { agent_id: uuid(3, 1), key_id: "2", public_key: "08".repeat(32), revoked: false };
    await vi.waitFor(async () => {
      expect(await keysOf(tenantId)).toEqual([
        { ...first, valid_from: new Date(1_790_000_000_123), valid_to: null },
        { ...second, valid_from: null, valid_to: new Date(1_890_000_000_000) },
      ]);
      expect(await postgres("SELECT agent_id FROM agents WHERE tenant_id = $1 ORDER BY 1", tenantId)).toEqual([
        { agent_id: uuid(3, 1) },
        { agent_id: uuid(3, 2) },
      ]);
    });
    expect(await postgres("SELECT store_id FROM stores WHERE tenant_id = $1 ORDER BY 1", tenantId)).toHaveLength(2);
    expect(await postgres("SELECT 1 FROM tenants WHERE tenant_id = $1", tenantId)).toHaveLength(1);

    await registry.revokeKey(uuid(3, 1), 1, SOMEBODY);
    await vi.waitFor(async () => expect(await keysOf(tenantId)).toMatchObject([{ revoked: true }, { revoked: false }]));
    await vi.waitFor(async () =>
      expect(await runInDurableObject(registry, (_, state) => state.storage.getAlarm())).toBeNull(),
    );
  });

  test("a key that is registered again, by a registry that was lost, is the one that Postgres has", async () => {
    const { tenantId, registry } = newRegistry();
    const key = { agentId: uuid(3, 1), keyId: 1, publicKey: byte(7), validFrom: null, validTo: null };
    await registry.registerKey(key, SOMEBODY);
    await registry.revokeKey(uuid(3, 1), 1, SOMEBODY);
    await vi.waitFor(async () => expect(await keysOf(tenantId)).toMatchObject([{ revoked: true }]));
    await runInDurableObject(registry, (_, state) => state.storage.deleteAll());
    await evictDurableObject(registry);
    await registry.registerKey({ ...key, publicKey: byte(9) }, SOMEBODY);
    const again = { public_key: "09".repeat(32), revoked: false };
    await vi.waitFor(async () => expect(await keysOf(tenantId)).toMatchObject([again]));
  });

  test("API keys are in Postgres with what they allow, with their revocation, and until they are removed", async () => {
    const { tenantId, registry } = newRegistry();
    const permissions = { read: true, write: true, admin: false };
    const first = {
      agentId: uuid(3, 1),
      storeIds: [uuid(5, 2), uuid(5, 1)],
      permissions,
      rateLimit: null,
      limitKeyHash: null,
    };
    await registry.addApiKey({ ...first, keyHash: "ab".repeat(32), expiresAt: 1_890_000_000_123 }, SOMEBODY);
    await registry.addApiKey({ ...first, keyHash: "cd".repeat(32), expiresAt: null, storeIds: null }, SOMEBODY);
    const mirrored = () =>
      postgres(
        `SELECT agent_id, encode(key_hash, 'hex') AS key_hash, store_ids, can_read, can_write, can_admin, expires_at,
                revoked_at IS NOT NULL AS revoked
           FROM api_keys WHERE tenant_id = $1 ORDER BY key_hash`,
        tenantId,
      );
    const may = { can_read: true, can_write: true, can_admin: false };
    const scoped = { agent_id: uuid(3, 1), key_hash: "ab".repeat(32), store_ids: first.storeIds, ...may };
    const whole = { ...scoped, key_hash: "cd".repeat(32), store_ids: null, expires_at: null, revoked: false };
    const limited = { ...scoped, expires_at: new Date(1_890_000_000_123) };
    await vi.waitFor(async () => expect(await mirrored()).toEqual([{ ...limited, revoked: false }, whole]));

    await registry.revokeApiKey({ agentId: uuid(3, 1), prefix: "ab", reach: null }, SOMEBODY);
    await vi.waitFor(async () => expect(await mirrored()).toEqual([{ ...limited, revoked: true }, whole]));

    await runInDurableObject(registry, (_, state) => {
      state.storage.sql.exec("DELETE FROM api_keys WHERE revoked_at IS NOT NULL");
    });
    await registry.addStore(uuid(5, 1));
    await vi.waitFor(async () => expect(await mirrored()).toEqual([whole]));
  });

  test("what was not mirrored when its object was lost is mirrored by the next, as is what was there before the mirror", async () => {
    const { tenantId, registry } = newRegistry();
    await registry.addStore(uuid(5, 1));
    await vi.waitFor(async () =>
      expect(await postgres("SELECT 1 FROM stores WHERE tenant_id = $1", tenantId)).toHaveLength(1),
    );
    await runInDurableObject(registry, async (_, state) => {
      await state.storage.deleteAlarm();
      state.storage.sql.exec("INSERT INTO unmirrored (store_id) SELECT store_id FROM stores");
    });
    await postgres("DELETE FROM stores WHERE tenant_id = $1", tenantId);
    await evictDurableObject(registry);
    await registry.hasStore(uuid(5, 1));
    await vi.waitFor(async () =>
      expect(await postgres("SELECT 1 FROM stores WHERE tenant_id = $1", tenantId)).toHaveLength(1),
    );
  });
});
