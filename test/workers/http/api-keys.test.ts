import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { newSigner } from "../../../scripts/lib/signer.ts";
import { apiKeyHash } from "../../../src/access/api-key.ts";
import { claimsFor, JWT_SECRET, signToken } from "../../support/tokens.ts";
import {
  accept,
  call,
  detailsOf,
  event,
  expectError,
  expectLog,
  expectNothingStored,
  ingest,
  mint,
  newAgent,
  type Reply,
  streamQuery,
  url,
  type Wire,
} from "./harness.ts";

interface Minted {
  readonly apiKey: string;
  readonly keyHashPrefix: string;
  readonly permissions: string;
  readonly rateLimit: number | null;
  readonly expiresAt: string | null;
}

interface Listed {
  readonly keys: readonly {
    readonly keyHashPrefix: string;
    readonly active: boolean;
    readonly permissions: string;
    readonly storeIds: readonly string[] | null;
    readonly rateLimit: number | null;
    readonly expiresAt: string | null;
  }[];
  readonly count: number;
}

const agent = async () => newSigner(crypto.randomUUID(), crypto.randomUUID());
type Agent = Awaited<ReturnType<typeof agent>>;

function tryMint(
  { tenantId, agentId }: Pick<Agent, "tenantId" | "agentId">,
  change: Wire,
  key?: string,
): Promise<Reply<Minted>> {
  const body = { tenantId, ...change };
  return call("POST", `/api/v1/agents/${agentId}/api-keys`, { body, ...(key === undefined ? {} : { key }) });
}

function list({ tenantId, agentId }: Agent, key?: string): Promise<Reply<Listed>> {
  const path = url(`/api/v1/agents/${agentId}/api-keys`, { tenant_id: tenantId });
  return call("GET", path, key === undefined ? {} : { key });
}

function head(signer: Agent, key: string, settings?: Record<string, string>): Promise<Reply> {
  return call("GET", url("/api/v1/ves/head", streamQuery(signer)), { key, ...(settings && { settings }) });
}

const revocation = ({ tenantId, agentId }: Agent, prefix: string) =>
  url(`/api/v1/agents/${agentId}/api-keys/${prefix}`, { tenant_id: tenantId });

describe("minting", () => {
  it("gives a key of the tenant, shown once, of which only a hash is stored", async () => {
    const signer = await agent();
    const reply = await tryMint(signer, {});
    expect(reply.body).toMatchObject({
      success: true,
      permissions: "read_write",
      rateLimit: null,
      expiresAt: null,
      message: "Keep the key: it is not shown again",
    });
    const { apiKey, keyHashPrefix } = reply.body;
    expect(keyHashPrefix).toBe(apiKeyHash(apiKey).slice(0, 16));
    const listed = await list(signer);
    expect(listed.body).toMatchObject({
      count: 1,
      keys: [
        { keyHashPrefix, active: true, permissions: "read_write", storeIds: null, rateLimit: null, revokedAt: null },
      ],
    });
    expect(listed.text).not.toContain(apiKey);
    const rows = await runInDurableObject(env.TENANTS.get(env.TENANTS.idFromName(signer.tenantId)), (_, state) =>
      JSON.stringify(state.storage.sql.exec("SELECT *, hex(key_hash) FROM api_keys").toArray()),
    );
    expect(rows).toContain(apiKeyHash(apiKey).toUpperCase());
    expect(rows).not.toContain(apiKey.slice(30));
  });

  it.each<[Wire, string]>([
    [{}, "read_write"],
    [{ readOnly: true }, "read"],
    [{ readOnly: false }, "read_write"],
    [{ admin: true }, "admin"],
    [{ admin: true, readOnly: true }, "admin"],
    [{ admin: false, read_only: true }, "read"],
    [{ admin: null, readOnly: null, storeIds: null, expiresAt: null, rateLimit: null }, "read_write"],
    [{ storeIds: [] }, "read_write"],
  ])("by an administrator, %j: %s", async (change, permissions) => {
    const reply = await tryMint(await agent(), change);
    expect([reply.status, reply.body.permissions]).toEqual([200, permissions]);
  });

  it.each<[Wire, string, string]>([
    [{ tenantId: "x" }, "tenantId", "expected a UUID"],
    [{ storeIds: "x" }, "storeIds", "Invalid input: expected array, received string"],
    [{ storeIds: ["x"] }, "storeIds.0", "expected a UUID"],
    [
      { storeIds: Array.from({ length: 51 }, () => crypto.randomUUID()) },
      "storeIds",
      "Too big: expected array to have <=50 items",
    ],
    [{ readOnly: "true" }, "readOnly", "Invalid input: expected boolean, received string"],
    [{ admin: 1 }, "admin", "Invalid input: expected boolean, received number"],
    [{ expiresAt: "tomorrow" }, "expiresAt", "expected an RFC 3339 time"],
    [{ expiresAt: "9999-12-31T23:59:59-00:01" }, "expiresAt", "expected an RFC 3339 time"],
    [{ expires_at: 1_900_000_000 }, "expiresAt", "Invalid input: expected string, received number"],
    [{ rateLimit: 0 }, "rateLimit", "Too small: expected number to be >=1"],
    [{ rateLimit: 10_001 }, "rateLimit", "Too big: expected number to be <=10000"],
    [{ rate_limit: 1.5 }, "rateLimit", "Invalid input: expected int, received number"],
    [{ rateLimit: "10" }, "rateLimit", "Invalid input: expected number, received string"],
  ])("422: %j", async (change, path, message) => {
    const signer = await agent();
    const reply = await tryMint(signer, change);
    expectError(reply, "UNPROCESSABLE", `${path}: ${message}`);
    expect(detailsOf(reply)).toContainEqual({ path, message });
    expect((await list(signer)).body).toEqual({ keys: [], count: 0 });
  });

  it.each([
    ["2090-12-31T23:59:60Z", "2091-01-01T00:00:00.000+00:00"],
    ["2090-12-31T23:59:60.5Z", "2091-01-01T00:00:00.500+00:00"],
    ["2090-01-01T00:00:00\u221205:00", "2090-01-01T05:00:00.000+00:00"],
    ["2090-01-01 00:00:00z", "2090-01-01T00:00:00.000+00:00"],
    ["2090-01-01t00:00:00.1234567891+05:30", "2089-12-31T18:30:00.123+00:00"],
  ])("an end written as %s is an end", async (text, expiresAt) => {
    const reply = await tryMint(await agent(), { expiresAt: text });
    expect(reply.body.expiresAt).toBe(expiresAt);
  });

  it("400: in the past, without a tenant, for an agent that is no UUID", async () => {
    const signer = await agent();
    expectError(
      await tryMint(signer, { expiresAt: "2020-01-01T00:00:00Z" }),
      "INVALID_FIELD_VALUE",
      "expiresAt lies in the past",
    );
    expectError(
      await tryMint(signer, { tenantId: null }),
      "MISSING_REQUIRED_FIELD",
      "The bootstrap administrator must name the tenant",
    );
    expectError(await tryMint({ ...signer, agentId: "me" }, {}), "INVALID_FIELD_VALUE", "agent_id: expected a UUID");
    expect((await list(signer)).body.count).toBe(0);
  });
});

describe("minting by a credential gives at most what it has", () => {
  it("itself: the same or less, for its own agent only", async () => {
    const signer = await agent();
    const [a, b] = [crypto.randomUUID(), crypto.randomUUID()];
    const own = await mint(signer, { storeIds: [a, b] });
    const tell = async (change: Wire, key: string = own): Promise<string> => {
      const { status, body } = await tryMint(signer, change, key);
      return status === 200 ? body.permissions : (body as unknown as { message: string }).message;
    };
    expect(await tell({})).toBe("read_write");
    expect(await tell({ tenantId: null })).toBe("read_write");
    expect(await tell({ readOnly: true, storeIds: [a] })).toBe("read");
    expect(await tell({ admin: true })).toBe("Only an administrator can mint an administrator's key");
    expect(await tell({ storeIds: [a, crypto.randomUUID()] })).toBe("This credential can only give its own stores");
    expect(await tell({ storeIds: [] })).toBe("This credential can only give its own stores");
    const reader = await mint(signer, { readOnly: true });
    expect(await tell({}, reader)).toBe("read");
    expect(await tell({ readOnly: false }, reader)).toBe("This credential cannot give write permission");
    const { keys } = (await list(signer, own)).body;
    expect(keys.map(({ permissions, storeIds }) => [permissions, storeIds])).toEqual([
      ["read_write", [a, b]],
      ["read_write", [a, b]],
      ["read_write", [a, b]],
      ["read", [a]],
      ["read", null],
      ["read", null],
    ]);
    const other = { ...(await agent()), tenantId: signer.tenantId };
    expectError(await tryMint(other, {}, own), "INSUFFICIENT_PERMISSIONS", "Admin permission required");
    expectError(await list(other, own), "INSUFFICIENT_PERMISSIONS", "Admin permission required");
    expectError(
      await call("DELETE", revocation(other, "0123456789abcdef"), { key: own }),
      "INSUFFICIENT_PERMISSIONS",
      "Admin permission required",
    );
    expectError(
      await tryMint(signer, { tenantId: crypto.randomUUID() }, own),
      "INSUFFICIENT_PERMISSIONS",
      "Tenant access denied",
    );
  });

  it("a rate limit: at most its own, which is what it gives unless told otherwise", async () => {
    const signer = await agent();
    const limits = async (change: Wire, key?: string): Promise<number | null> =>
      (await tryMint(signer, change, key)).body.rateLimit;
    const limited = await mint(signer, { rateLimit: 100 });
    expect(await limits({}, limited)).toBe(100);
    expect(await limits({ rate_limit: 100 }, limited)).toBe(100);
    expect(await limits({ rateLimit: 1 }, limited)).toBe(1);
    const message = "This credential cannot give a higher rate limit than its own";
    expectError(await tryMint(signer, { rateLimit: 101 }, limited), "INSUFFICIENT_PERMISSIONS", message);
    const unlimited = await mint(signer);
    expect(await limits({}, unlimited)).toBeNull();
    expect(await limits({ rateLimit: 10_000 }, unlimited)).toBe(10_000);
    const admin = await mint(signer, { admin: true, rateLimit: 5 });
    expect(await limits({}, admin)).toBeNull();
    expect(await limits({ rateLimit: 6 }, admin)).toBe(6);
    const listed = (await list(signer)).body.keys.map(({ rateLimit }) => String(rateLimit));
    const given = [100, 100, 100, 1, null, null, 10_000, 5, null, 6].map(String);
    expect(listed.toSorted()).toEqual(given.toSorted());
  });

  it("a token: at most what it says", async () => {
    const signer = await agent();
    const told = async (claims: Record<string, string>, change: Wire = {}): Promise<string> => {
      const token = await signToken(claimsFor(signer.tenantId, { agent: signer.agentId, ...claims }));
      const { status, body } = await call<Minted>("POST", `/api/v1/agents/${signer.agentId}/api-keys`, {
        key: null,
        headers: { authorization: `Bearer ${token}` },
        settings: { JWT_SECRET },
        body: change,
      });
      return status === 200 ? body.permissions : (body as unknown as { message: string }).message;
    };
    expect(await told({ perms: "read,write" })).toBe("read_write");
    expect(await told({ perms: "read" })).toBe("read");
    expect(await told({ perms: "read" }, { readOnly: false })).toBe("This credential cannot give write permission");
    expect(await told({ perms: "write" })).toBe("This credential cannot give read permission");
    expect(await told({})).toBe("Read or write permission required");
    expect(await told({ perms: "admin" }, { admin: true, readOnly: true })).toBe("admin");
    const outliving = { expiresAt: new Date(Date.now() + 3_700_000).toISOString() };
    expect(await told({ perms: "admin" }, outliving)).toBe("This credential cannot give a key that outlives it");
    expect((await list(signer)).body.keys.every(({ expiresAt }) => expiresAt !== null)).toBe(true);
  });

  it("a tenant's administrator: everything within the tenant, nothing outside", async () => {
    const signer = await agent();
    const admin = await mint(signer, { admin: true });
    const other = { ...(await agent()), tenantId: signer.tenantId };
    expect((await tryMint(other, { admin: true, tenantId: null }, admin)).body.permissions).toBe("admin");
    expectError(await tryMint(await agent(), {}, admin), "INSUFFICIENT_PERMISSIONS", "Tenant access denied");
  });

  it("an administrator of some stores cannot give others", async () => {
    const signer = await agent();
    const admin = await mint(signer, { admin: true, storeIds: [signer.storeId] });
    const message = "This credential can only give its own stores";
    expectError(await tryMint(signer, { storeIds: [crypto.randomUUID()] }, admin), "INSUFFICIENT_PERMISSIONS", message);
    expect((await tryMint(signer, {}, admin)).status).toBe(200);
    expect((await list(signer)).body.keys.map(({ storeIds }) => storeIds)).toEqual([
      [signer.storeId],
      [signer.storeId],
    ]);
  });

  it("one that ends gives none that outlives it", async () => {
    const signer = await agent();
    const expiresAt = "2090-01-01T00:00:00.000+00:00";
    const own = await mint(signer, { expiresAt });
    const message = "This credential cannot give a key that outlives it";
    expectError(await tryMint(signer, { expiresAt: "2091-01-01T00:00:00Z" }, own), "INSUFFICIENT_PERMISSIONS", message);
    expect((await tryMint(signer, {}, own)).body.expiresAt).toBe(expiresAt);
    expect((await tryMint(signer, { expiresAt: "2089-01-01T00:00:00Z" }, own)).body.expiresAt).toBe(
      "2089-01-01T00:00:00.000+00:00",
    );
  });
});

describe.concurrent("the end of a key", () => {
  it("expired: refused from that instant, and listed as not active", async () => {
    const signer = await newAgent();
    const wire = await event(signer);
    const key = await mint(signer, { expiresAt: new Date(Date.now() + 800).toISOString() });
    expect((await head(signer, key)).status).toBe(200);
    await scheduler.wait(850);
    expectError(await head(signer, key), "INVALID_API_KEY", "Invalid API key");
    expectError(await ingest(signer, [wire], { key }), "INVALID_API_KEY", "Invalid API key");
    await expectNothingStored(signer);
    expect((await list(signer)).body.keys.map(({ active }) => active)).toEqual([false]);
    await accept(signer, wire);
    await expectLog(signer, [wire]);
  });

  it("an agent's own key revokes what may do no more than itself, and itself", async () => {
    const signer = await agent();
    const [writer, reader] = [await mint(signer), await mint(signer, { readOnly: true })];
    const revoke = (key: string, by: string): Promise<Reply> =>
      call("DELETE", revocation(signer, apiKeyHash(key).slice(0, 16)), { key: by });
    expectError(
      await revoke(writer, reader),
      "INSUFFICIENT_PERMISSIONS",
      "This credential cannot revoke a key that may do more than itself",
    );
    expect((await list(signer)).body.keys.map(({ active }) => active)).toEqual([true, true]);
    expect((await revoke(reader, writer)).status).toBe(200);
    expect((await revoke(writer, writer)).status).toBe(200);
    expect((await list(signer)).body.keys.map(({ active }) => active)).toEqual([false, false]);
  });

  it("revoked: refused once the cached look-up is too old, by any prefix of eight digits or more", async () => {
    const signer = await newAgent();
    const wire = await event(signer);
    const settings = { API_KEY_CACHE_TTL_SECS: "1" };
    const used = await mint(signer);
    const unused = await mint(signer);
    expect((await head(signer, used, settings)).status).toBe(200);
    const answer = { success: true, message: "The API key is revoked" };
    for (const [key, digits] of [
      [used, 16],
      [unused, 8],
      [used, 64],
    ] as const) {
      expect((await call("DELETE", revocation(signer, apiKeyHash(key).slice(0, digits)))).body).toEqual(answer);
    }
    expectError(await head(signer, unused, settings), "INVALID_API_KEY", "Invalid API key");
    await scheduler.wait(1_050);
    expectError(await head(signer, used, settings), "INVALID_API_KEY", "Invalid API key");
    expectError(await ingest(signer, [wire], { key: used, settings }), "INVALID_API_KEY", "Invalid API key");
    await expectNothingStored(signer);
    const { keys } = (await list(signer)).body;
    expect(keys.map(({ active }) => active)).toEqual([false, false]);
    await accept(signer, wire);
  });

  it("400 and 404 for what names no key", async () => {
    const signer = await agent();
    const key = await mint(signer);
    const form = "key_prefix: expected 8 to 64 lowercase hex digits";
    const hash = apiKeyHash(key);
    for (const prefix of [
      hash.slice(0, 7),
      `${hash}0`,
      hash.slice(0, 16).toUpperCase().replace(/^./, "A"),
      "ss_abcdefgh",
    ]) {
      expectError(await call("DELETE", revocation(signer, prefix)), "INVALID_FIELD_VALUE", form);
    }
    const missing = "The agent has no API key whose hash begins like this";
    const other = hash.startsWith("0") ? `1${hash.slice(1)}` : `0${hash.slice(1)}`;
    expectError(await call("DELETE", revocation(signer, other)), "API_KEY_NOT_FOUND", missing);
    expectError(
      await call("DELETE", revocation({ ...signer, agentId: crypto.randomUUID() }, hash)),
      "API_KEY_NOT_FOUND",
      missing,
    );
    expectError(await call("DELETE", revocation(await agent(), hash)), "API_KEY_NOT_FOUND", missing);
    expect((await list(signer)).body.keys.map(({ active }) => active)).toEqual([true]);
    // An agent may end its own.
    expect((await call("DELETE", revocation(signer, hash), { key })).status).toBe(200);
  });
});
