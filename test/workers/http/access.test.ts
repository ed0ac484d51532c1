import { env, exports } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { toBase64Url } from "../../../src/ves/index.ts";
import {
  accept,
  ADMIN,
  call,
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
  textOf,
} from "./harness.ts";
import { everyRoute, type Route } from "./routes.ts";

/** What an answer says, but for what differs from request to request. */
function said({ status, text, headers }: Reply): string {
  const names = [...headers.keys()].filter((name) => name !== "x-request-id");
  return JSON.stringify([status, names, text.replace(/"request_id":"[^"]*"/, "")]);
}

describe("forms of a credential", () => {
  const head = async (headers: Record<string, string>): Promise<Reply> => {
    const query = { tenant_id: crypto.randomUUID(), store_id: crypto.randomUUID() };
    return call("GET", url("/api/v1/ves/head", query), { key: null, headers });
  };
  it.each<Record<string, string>>([
    { authorization: `ApiKey ${ADMIN}` },
    { authorization: `apikey ${ADMIN}` },
    { authorization: `APIKEY   ${ADMIN}` },
    { authorization: `Bearer ${ADMIN}` },
    { authorization: `bearer ${ADMIN}` },
    { "x-api-key": ADMIN },
    { "X-API-Key": ` ${ADMIN} ` },
  ])("accepted: %j", async (headers) => {
    expect((await head(headers)).status).toBe(200);
  });

  it("accepted: a minted key in every form, by its own tenant only", async () => {
    const signer = await newAgent();
    const key = await mint(signer);
    expect(key).toMatch(/^ss_[\w-]{54}$/);
    const path = url("/api/v1/ves/head", streamQuery(signer));
    for (const headers of [
      { authorization: key },
      { authorization: `ApiKey ${key}` },
      { authorization: `Bearer ${key}` },
      { "x-api-key": key },
    ]) {
      expect((await call("GET", path, { key: null, headers: { ...headers } })).status).toBe(200);
    }
  });

  const FORM = "The Authorization header must be ApiKey <key>, Bearer <key or JWT>, or a bare key (ss_...)";
  const SCHEME = "The Authorization scheme must be ApiKey or Bearer";
  it.each<[Record<string, string>, string]>([
    [{}, "Authentication required: send Authorization: ApiKey <key>, or x-api-key: <key>"],
    [{ "x-api-key": "  " }, "Authentication required: send Authorization: ApiKey <key>, or x-api-key: <key>"],
    [{ authorization: ADMIN }, FORM],
    [{ authorization: "ApiKey" }, FORM],
    [{ authorization: `ApiKey ${ADMIN} more` }, FORM],
    [{ authorization: `ApiKey=${ADMIN}` }, FORM],
    [{ authorization: `Basic ${btoa(`a:${ADMIN}`)}` }, SCHEME],
    [{ authorization: `Token ${ADMIN}` }, SCHEME],
  ])("401 AUTH_REQUIRED: %j", async (headers, message) => {
    const reply = await head(headers);
    expectError(reply, "AUTH_REQUIRED", message);
    expect(reply.headers.get("www-authenticate")).toBe("ApiKey, Bearer");
  });

  const forged = `ss_${toBase64Url(new Uint8Array(16))}${toBase64Url(new Uint8Array(24))}`;
  it.each([
    `${ADMIN}x`,
    ADMIN.toUpperCase(),
    "ss_",
    "ss_x",
    forged,
    `${forged}A`,
    forged.slice(0, -1),
    `ss_${"*".repeat(54)}`,
    "ss_".padEnd(5_000, "A"),
    "00000000-0000-0000-0000-000000000000",
  ])("401 INVALID_API_KEY: %s", async (key) => {
    expectError(await head({ authorization: `ApiKey ${key}` }), "INVALID_API_KEY", "Invalid API key");
    expectError(await head({ authorization: `Bearer ${key}` }), "INVALID_API_KEY", "Invalid API key");
    expectError(await head({ "x-api-key": key }), "INVALID_API_KEY", "Invalid API key");
  });

  it("a wrong Authorization header is not made good by x-api-key", async () => {
    expectError(
      await head({ authorization: "ApiKey wrong", "x-api-key": ADMIN }),
      "INVALID_API_KEY",
      "Invalid API key",
    );
  });

  it("a key whose last character differs in unused bits only is not the key", async () => {
    const signer = await newAgent();
    const key = await mint(signer);
    const [, , , tenantPart = ""] = /^(ss_)()()(.{22})/.exec(key) ?? [];
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const last = alphabet[alphabet.indexOf(tenantPart.at(-1) ?? "A") + 1] ?? "B";
    const changed = `ss_${tenantPart.slice(0, -1)}${last}${key.slice(25)}`;
    expect(changed).not.toBe(key);
    expectError(await head({ authorization: changed }), "INVALID_API_KEY", "Invalid API key");
  });

  it.each(["eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJIUzI1NiJ9.e30.c2ln", "a.b.c"])(
    "401 INVALID_TOKEN: %s",
    async (token) => {
      expectError(
        await head({ authorization: `Bearer ${token}` }),
        "INVALID_TOKEN",
        "This deployment does not accept JWTs: use an API key",
      );
    },
  );
});

describe("every route that is not public", () => {
  it("asks for a credential before it looks at anything else", async () => {
    const signer = await newAgent();
    for (const { method, path, access, settings } of await everyRoute(signer, crypto.randomUUID())) {
      if (access === "public") continue;
      const [bare = ""] = path.split("?");
      const reply = await call(method, bare, {
        key: null,
        settings,
        ...(method === "GET" || method === "DELETE" ? {} : { raw: "{" }),
      });
      expectError(reply, "AUTH_REQUIRED", /^Authentication required/);
    }
    await expectNothingStored(signer);
  });

  it("answers a foreign tenant's credential 403, the same for what exists and for what does not", async () => {
    const signer = await newAgent();
    const stored = await event(signer, { entityType: "order", entityId: "o1" });
    await accept(signer, stored);
    const unknown = { ...signer, tenantId: crypto.randomUUID(), storeId: crypto.randomUUID() };
    const admin = await mint({ tenantId: crypto.randomUUID(), agentId: signer.agentId }, { admin: true });
    const scoped = async (of: typeof signer, eventId: string) =>
      (await everyRoute(of, eventId)).filter(
        ({ access }) => !["any-reader", "any-admin", "bootstrap", "public"].includes(access),
      );
    const existing = await scoped(signer, textOf(stored, "event_id"));
    const missing = await scoped(unknown, crypto.randomUUID());
    const asked: string[] = [];
    const watched = (name: "STREAMS" | "TENANTS") =>
      new Proxy(env[name], {
        get: (namespace, member: keyof DurableObjectNamespace) => {
          if (member === "idFromName" || member === "getByName") asked.push(name);
          const value: unknown = namespace[member];
          return typeof value === "function" ? value.bind(namespace) : value;
        },
      });
    const ask = ({ method, path, body, settings }: Route): Promise<Reply> => {
      // The credential itself is looked up once, and remembered by the isolate.
      asked.length = 0;
      const watching = { ...settings, STREAMS: watched("STREAMS"), TENANTS: watched("TENANTS") };
      return call(method, path, { key: admin, body, settings: watching });
    };
    await call("GET", url("/api/v1/ves/head", streamQuery(signer)), { key: admin, settings: {} });
    for (const [index, route] of existing.entries()) {
      const other = missing[index];
      if (other === undefined) throw new Error("the same routes");
      const reply = await ask(route);
      expectError(reply, "INSUFFICIENT_PERMISSIONS", "Tenant access denied");
      // Nor does the time that it takes tell them apart: no object is asked in either case.
      expect(asked).toEqual([]);
      expect(said(await ask(other))).toBe(said(reply));
      expect(asked).toEqual([]);
    }
    await expectLog(signer, [stored]);
    await expectNothingStored(unknown);
  });

  it("gives an ordinary credential nothing that is for administrators", async () => {
    const signer = await newAgent();
    const key = await mint(signer);
    const routes = (await everyRoute(signer, crypto.randomUUID())).filter(({ access }) =>
      ["store-admin", "tenant-admin", "sealing-admin", "any-admin"].includes(access),
    );
    expect(routes).toHaveLength(18);
    for (const { method, path, body, settings } of routes) {
      const reply = await call(method, path, { key, body, settings });
      expectError(reply, "INSUFFICIENT_PERMISSIONS", "Admin permission required");
    }
  });

  it("gives tenants' administrators nothing that is for the bootstrap administrator", async () => {
    const signer = await newAgent();
    const key = await mint(signer, { admin: true });
    const routes = (await everyRoute(signer, crypto.randomUUID())).filter(({ access }) => access === "bootstrap");
    expect(routes).toHaveLength(4);
    for (const { method, path, body } of routes) {
      const reply = await call(method, path, { key, body });
      expectError(reply, "INSUFFICIENT_PERMISSIONS", "Bootstrap administrator required");
    }
    await expectNothingStored(signer);
  });

  it("keeps a read-only credential from writing", async () => {
    const signer = await newAgent();
    const key = await mint(signer, { readOnly: true });
    const wire = await event(signer);
    for (const path of ["/api/v1/ves/events/ingest", "/api/v1/events/ingest"]) {
      expectError(await ingest(signer, [wire], { key, path }), "INSUFFICIENT_PERMISSIONS", "Write permission required");
    }
    for (const path of ["/api/v1/ves/commitments", "/api/v1/commitments"]) {
      const body = { tenantId: signer.tenantId, storeId: signer.storeId, sequenceStart: 1, sequenceEnd: 1 };
      expectError(await call("POST", path, { key, body }), "INSUFFICIENT_PERMISSIONS", "Write permission required");
    }
    const isSchemaWrite = ({ method, template }: Route): boolean =>
      (method === "POST" && template === "/api/v1/schemas") || method + template === "PUT/api/v1/schemas/{id}/status";
    const schemas = (await everyRoute(signer, crypto.randomUUID())).filter(isSchemaWrite);
    expect(schemas).toHaveLength(2);
    for (const { method, path, body } of schemas) {
      expectError(await call(method, path, { key, body }), "INSUFFICIENT_PERMISSIONS", "Write permission required");
    }
    await expectNothingStored(signer);
    expect((await call("GET", url("/api/v1/ves/head", streamQuery(signer)), { key })).status).toBe(200);
    expect((await ingest(signer, [wire], { key: await mint(signer) })).body).toMatchObject({ eventsAccepted: 1 });
  });

  it("keeps a credential to its stores", async () => {
    const signer = await newAgent();
    const stored = await event(signer);
    await accept(signer, stored);
    const own = { ...signer, storeId: crypto.randomUUID() };
    const key = await mint(signer, { storeIds: [own.storeId] });
    const forStore = ({ access }: Route): boolean =>
      ["store-read", "store-write", "ingest", "own-cursor"].includes(access);
    const routes = (await everyRoute(signer, textOf(stored, "event_id"))).filter(forStore);
    for (const { method, path, body, settings } of routes) {
      const reply = await call(method, path, { key, body, settings });
      expectError(reply, "INSUFFICIENT_PERMISSIONS", "Store access denied");
    }
    await expectLog(signer, [stored]);
    const wire = await event(own);
    expect((await ingest(own, [wire], { key })).body).toMatchObject({ eventsAccepted: 1 });
    // A store of zeros is a store like any other.
    const nil = { ...signer, storeId: "00000000-0000-0000-0000-000000000000" };
    expectError(await ingest(nil, [await event(nil)], { key }), "INSUFFICIENT_PERMISSIONS", "Store access denied");
    await expectNothingStored(nil);
  });

  it("keeps an agent's credential to that agent's events, while administrators' serve for all", async () => {
    const signer = await newAgent();
    const other = await newAgent(signer.tenantId, signer.storeId);
    const wire = await event(other);
    const own = await mint(signer);
    expectError(
      await ingest(other, [wire], { key: own }),
      "INSUFFICIENT_PERMISSIONS",
      `Agent mismatch: this credential belongs to another agent than ${other.agentId}`,
    );
    await expectNothingStored(other);
    expect((await ingest(other, [wire])).body).toMatchObject({ eventsAccepted: 1 });
    expect(
      (await call("GET", url(`/api/v1/ves/events/${textOf(wire, "event_id")}`, streamQuery(signer)), { key: own }))
        .status,
    ).toBe(200);
  });
});

describe("unknown paths and methods", () => {
  it.each([
    "/",
    "/api",
    "/api/v1",
    "/api/v1/ves/head/",
    "/api/v2/ves/head",
    "/API/v1/ves/head",
    "/api/v1/ves/events/a/b",
    "/api/v1/ves/proofs",
  ])("404: %s", async (path) => {
    expectError(await call("GET", path, { key: null }), "RESOURCE_NOT_FOUND", `There is no ${path}`);
    expectError(await call("POST", path, { body: {} }), "RESOURCE_NOT_FOUND", `There is no ${path}`);
  });

  it.each<[string, string, string]>([
    ["GET", "/api/v1/ves/events/ingest", "POST"],
    ["PUT", "/api/v1/events/ingest", "POST"],
    ["POST", "/api/v1/ves/head", "GET, HEAD"],
    ["DELETE", "/api/v1/ves/events", "GET, HEAD"],
    ["DELETE", `/api/v1/ves/events/${crypto.randomUUID()}`, "GET, HEAD"],
    ["PATCH", "/api/v1/agents/keys", "POST, GET, HEAD"],
    ["POST", `/api/v1/agents/${crypto.randomUUID()}/policy`, "GET, PUT, HEAD"],
    ["POST", `/api/v1/ves/cursors/${crypto.randomUUID()}`, "GET, PUT, HEAD"],
    ["GET", "/api/v1/agent-keys/1", "DELETE"],
    ["GET", "/api/v1/schemas/validate", "POST"],
    ["PUT", "/api/v1/schemas", "POST, GET, HEAD"],
    ["POST", `/api/v1/schemas/${crypto.randomUUID()}`, "GET, DELETE, HEAD"],
    ["PUT", "/api/v1/schemas/event-type/status", "GET, HEAD"],
    ["OPTIONS", "/api/v1/ves/head", "GET, HEAD"],
  ])("405: %s %s", async (method, path, allow) => {
    const reply = await call(method, path);
    expectError(reply, "METHOD_NOT_ALLOWED", `${method} is not served here, only ${allow}`);
    expect(reply.headers.get("allow")).toBe(allow);
    expectError(await call(method, path, { key: null }), "AUTH_REQUIRED", /^Authentication required/);
  });

  it("405 on a public path is told to anybody", async () => {
    const reply = await call("POST", "/health", { key: null });
    expectError(reply, "METHOD_NOT_ALLOWED", "POST is not served here, only GET, HEAD");
  });

  it("HEAD answers as GET, without a body", async () => {
    const signer = await newAgent();
    const reply = await call("HEAD", url("/api/v1/ves/head", streamQuery(signer)));
    expect([reply.status, reply.text]).toEqual([200, ""]);
  });

  it.each(["two words", "x".repeat(129), "<script>", "a\tb"])(
    "a request id that is not a plain token is replaced: %s",
    async (id) => {
      const response = await exports.default.fetch(
        new Request("https://x/health", { headers: { "x-request-id": id } }),
      );
      expect(response.headers.get("x-request-id")).toMatch(/^[0-9a-f]{8}-[0-9a-f-]{27}$/);
      await response.body?.cancel();
    },
  );
});
