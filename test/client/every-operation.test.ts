import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Validator } from "@seriousme/openapi-schema-validator";
import createClient from "openapi-fetch";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type AnchoredServer, startAnchoredServer } from "../e2e/support/anchored-server.ts";
import { removeTempDirs } from "../e2e/support/processes.ts";
import { answerChecker, type Document } from "./answer-checker.ts";
import { type ApiClient, EXAMPLES } from "./examples.ts";
import { typeErrors, writeTypes } from "./generated-types.ts";
import type { paths } from "./generated/api.ts";
import { newWorld, type World } from "./world.ts";

/*
 * docs/openapi.json by tools that are not ours: a validator of such documents, a generator of types, a client that goes by
 * these, and a validator of JSON Schema for each answer of a real server.
 */

const DOCUMENT = join(import.meta.dirname, "..", "..", "docs", "openapi.json");
const document = JSON.parse(readFileSync(DOCUMENT, "utf8")) as Document;
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, operation })),
);

describe("the document", () => {
  test("is valid OpenAPI 3.1", async () => {
    const validator = new Validator();
    expect(await validator.validate(DOCUMENT)).toEqual({ valid: true });
    expect(validator.version).toBe("3.1");
  });

  test("gives every error the one form, and leaves no answer without one", () => {
    for (const { name, operation } of operations) {
      for (const [status, { content }] of Object.entries(operation.responses)) {
        if (status === "304") continue;
        const error = { "application/json": { schema: { $ref: "#/components/schemas/Error" } } };
        if (["101", "200"].includes(status)) expect(Object.keys(content ?? {}), name).toHaveLength(1);
        else expect(content, `${name}: ${status}`).toEqual(error);
      }
    }
  });

  test("gives types that the examples below are written in", async () => {
    await writeTypes(document);
    expect(await typeErrors()).toBe("");
  });
});

describe("a client that goes by the types is answered as the document says", () => {
  const differences: string[] = [];
  const check = answerChecker(document);
  let place: AnchoredServer;
  let world: World;
  let api: ApiClient;
  let nobody: ApiClient;

  beforeAll(async () => {
    const variables = { PUBLIC_AGENT_REGISTRATION_ENABLED: "true" };
    place = await startAnchoredServer(inject("postgresUrl"), variables);
    world = await newWorld(place);
    const { url, apiKey } = place.server();
    api = checkedClient(url, { "x-api-key": apiKey });
    nobody = checkedClient(url, {});
  });
  afterAll(async () => {
    await place.close();
    removeTempDirs();
  });

  function checkedClient(baseUrl: string, headers: Record<string, string>): ApiClient {
    const client = createClient<paths>({ baseUrl, headers });
    client.use({
      onResponse: async ({ request: { method }, response, schemaPath: path }) => {
        const { status } = response;
        const contentType = response.headers.get("content-type");
        const text = await response.clone().text();
        const difference = check({ method, path, status, contentType, text });
        if (difference !== undefined) differences.push(difference);
      },
    });
    return client;
  }

  test("there is an example of every operation, and of nothing else", () => {
    expect(Object.keys(EXAMPLES).toSorted()).toEqual(operations.map(({ name }) => name).toSorted());
  });

  test.each(Object.keys(EXAMPLES))("%s", async (name) => {
    differences.length = 0;
    const { status = 200, call } = EXAMPLES[name] ?? { call: () => Promise.reject(new Error(name)) };
    const { response } = await call(api, world);
    expect(differences).toEqual([]);
    expect(response.status).toBe(status);
    const isPublic = operations.find((operation) => operation.name === name)?.operation.security.length === 0;
    const { response: refused } = await call(nobody, world);
    expect(differences).toEqual([]);
    expect(refused.status).toBe(isPublic ? status : 401);
  });

  test("what the check is worth: it finds a member too many, one too few, and a status that nobody documented", () => {
    const path = "/api/v1/head";
    const json = (status: number, text: string) =>
      check({ method: "GET", path, status, contentType: "application/json; charset=utf-8", text });
    expect(json(200, '{"head_sequence":1}')).toBeUndefined();
    expect(json(200, '{"head_sequence":1,"more":1}')).toMatch("must NOT have additional properties");
    expect(json(200, "{}")).toMatch("must have required property 'head_sequence'");
    expect(json(418, "{}")).toBe("GET /api/v1/head answers 418, which is not documented");
    expect(json(401, '{"code":"AUTH_REQUIRED"}')).toMatch("must have required property 'error'");
  });
});
