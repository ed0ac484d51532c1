import { describe, expect, it } from "vitest";
import { endpoints } from "../../../src/http/app.ts";
import type { OpenApiDocument } from "../../../src/http/openapi.ts";
import { call, expectError, newAgent } from "./harness.ts";
import { everyRoute } from "./routes.ts";

async function published(): Promise<OpenApiDocument> {
  const reply = await call<OpenApiDocument>("GET", "/openapi.json", { key: null });
  expect(reply.status).toBe(200);
  return reply.body;
}

describe("/openapi.json", () => {
  it("has every route of the app, and nothing else", async () => {
    const { openapi, paths } = await published();
    expect(openapi).toBe("3.1.0");
    const documented = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(documented.toSorted()).toEqual(endpoints.map(({ method, path }) => `${method} ${path}`).toSorted());
    const tried = (await everyRoute(await newAgent(), crypto.randomUUID())).map(
      ({ method, template }) => `${method} ${template}`,
    );
    expect(tried.toSorted()).toEqual(documented.toSorted());
  });

  it("describes each operation: names, parameters, answers, and references that lead somewhere", async () => {
    const document = await published();
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.values(methods).map((operation) => ({ path, operation })),
    );
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { path, operation } of operations) {
      const inPath = Array.from(path.matchAll(/\{(\w+)\}/g), ([, name]) => name);
      expect(operation.parameters.filter((parameter) => parameter.in === "path").map(({ name }) => name)).toEqual(
        inPath,
      );
      expect(operation.responses).toHaveProperty(path === "/api/v1/ves/live" ? "101" : "200");
      const isOpen = operation.security.length === 0;
      expect(Object.hasOwn(operation.responses, "401")).toBe(!isOpen);
      if (!isOpen) expect(operation.responses["429"]).toMatchObject({ headers: { "retry-after": {} } });
      expect(operation.deprecated ?? false).toBe(
        operation.tags.includes("Older family") || path === "/api/v1/events/ingest",
      );
    }
    const text = JSON.stringify(document);
    const references = new Set(Array.from(text.matchAll(/"\$ref":"([^"]*)"/g), ([, target]) => target ?? ""));
    for (const reference of references) {
      const [, kind = "", name = ""] = /^#\/components\/(schemas|headers)\/([\w-]+)$/.exec(reference) ?? [];
      expect(Object.keys(document.components[kind as "schemas" | "headers"] ?? {})).toContain(name);
    }
    expect(text).not.toContain("$defs");
  });

  it("names every error code", async () => {
    const { components } = await published();
    const schema = JSON.stringify(components.schemas["Error"]);
    for (const code of [
      "SIGNATURE_REQUIRED",
      "MALFORMED_JSON",
      "UNPROCESSABLE",
      "METHOD_NOT_ALLOWED",
      "POLICY_NOT_FOUND",
    ])
      expect(schema).toContain(code);
  });
});

describe("what needs no credential", () => {
  it.each(["/health", "/ready", "/api/v1/sequencer/keys", "/openapi.json", "/docs"])("%s", async (path) => {
    expect((await call("GET", path, { key: null })).status).toBe(200);
    expect((await call("GET", path, { key: "wrong" })).status).toBe(200);
  });

  it("/health tells the keys of receipts, as /api/v1/sequencer/keys does", async () => {
    const keys = await call<object>("GET", "/api/v1/sequencer/keys", { key: null });
    const health = await call("GET", "/health", { key: null });
    expect(health.body).toMatchObject({ status: "healthy", service: "stateset-sequencer", ...keys.body });
    expect(keys.body).toMatchObject({
      keys: [{ key_version: 1, algorithm: "ed25519", valid_from: null, valid_to: null }],
    });
  });

  it("a wrong configuration is told to the operator, not to callers", async () => {
    const reply = await call("GET", "/health", { key: null, settings: { VES_SEQUENCER_SIGNING_KEY: "secret" } });
    expectError(reply, "SERVICE_UNAVAILABLE", "The server's configuration is wrong; its log says how");
    expect(reply.text).not.toContain("secret");
  });
});
