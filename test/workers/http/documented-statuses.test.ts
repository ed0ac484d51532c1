import { beforeAll, describe, expect, it } from "vitest";
import { endpoints } from "../../../src/http/app.ts";
import { openApiDocument } from "../../../src/http/openapi.ts";
import { type Call, call, expectError, mint, newAgent } from "./harness.ts";
import { everyRoute, type Route } from "./routes.ts";

/*
 * What any route of a kind may be answered with, on every route of that kind. That the document has an answer's status is
 * checked on each call of every test; here it is made sure that each of these answers is given somewhere.
 */

const document = openApiDocument(endpoints);
let routes: readonly Route[];
/** A credential that may not do anything here. */
let foreign: string;

beforeAll(async () => {
  routes = await everyRoute(await newAgent(), crypto.randomUUID());
  foreign = await mint({ tenantId: crypto.randomUUID(), agentId: crypto.randomUUID() }, { readOnly: true });
});

describe.each(endpoints.map(({ method, path }) => [method, path] as const))("%s %s", (method, template) => {
  const documented = Object.keys(document.paths[template]?.[method.toLowerCase()]?.responses ?? {});
  const ask = async ({ parameter, ...given }: Call & { readonly parameter?: string }) => {
    const route = routes.find((candidate) => candidate.method === method && candidate.template === template);
    if (route === undefined) throw new Error("this route has no place in routes.ts yet");
    const settings = { PUBLIC_AGENT_REGISTRATION_ENABLED: "true", ...route.settings, ...given.settings };
    const more = parameter === undefined ? "" : `${route.path.includes("?") ? "&" : "?"}${parameter}`;
    return call(method, route.path + more, { body: route.body, ...given, settings });
  };

  it("503 when the server's configuration is wrong", async () => {
    const reply = await ask({ settings: { VES_SEQUENCER_SIGNING_KEY: "none" } });
    expectError(reply, "SERVICE_UNAVAILABLE", "The server's configuration is wrong; its log says how");
  });

  it("400 when the URL is wrongly encoded", async () => {
    const reply = await ask({ parameter: "x=%ff" });
    expectError(reply, "INVALID_FIELD_VALUE", "The URL is not percent-encoded UTF-8");
  });

  it.runIf(documented.includes("401"))("401 without a credential, and 403 with one of nobody here", async () => {
    expectError(await ask({ key: null }), "AUTH_REQUIRED", /./);
    const { status } = await ask({ key: foreign });
    // Of what concerns no one tenant, whoever may read is told.
    expect([200, 403]).toContain(status);
  });

  it.runIf(documented.includes("422"))("400, 413, 415 and 422 for bodies of other forms", async () => {
    expectError(await ask({ raw: "{" }), "MALFORMED_JSON", /./);
    expectError(await ask({ raw: "[]" }), "UNPROCESSABLE", /./);
    expectError(await ask({ headers: { "content-type": "text/plain" } }), "UNSUPPORTED_MEDIA_TYPE", /./);
    const long = { raw: `{"x":"${"x".repeat(2_000)}"}`, settings: { MAX_BODY_SIZE_BYTES: "1024" } };
    expectError(await ask(long), "PAYLOAD_TOO_LARGE", "A body may have 1024 bytes");
  });
});
