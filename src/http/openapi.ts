import { z } from "zod";
import { ERROR_CODES } from "../errors.ts";
import { VERSION } from "../version.ts";
import type { Endpoint } from "./endpoint.ts";

type Schema = Record<string, unknown>;

export interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description?: string;
  readonly deprecated?: true;
  readonly security: readonly unknown[];
  readonly parameters: readonly {
    readonly name: string;
    readonly in: "path" | "query";
    readonly required: boolean;
    readonly description?: string;
    readonly schema: Schema;
  }[];
  readonly requestBody?: unknown;
  readonly responses: Readonly<Record<string, unknown>>;
}

export interface OpenApiDocument {
  readonly openapi: "3.1.0";
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly headers: Readonly<Record<string, unknown>>;
    readonly securitySchemes: unknown;
  };
}

const DESCRIPTION = `Numbers signed events of commerce agents, one gap-free log for each (tenant, store), and answers with
signed receipts (VES v1.0). Every error has the same form; its code tells programs what to do, its message people.

Where a tenant or an API key has a rate limit, each of its requests counts, and every answer tells how the tightest limit stands:
\`ratelimit-limit\`, \`ratelimit-remaining\` and \`ratelimit-reset\` (seconds until more of it is free).`;

/** Of a 429, each described once. */
const LIMIT_HEADERS = {
  "retry-after": "Seconds until a request fits",
  "ratelimit-limit": "Requests that the limit allows in its window",
  "ratelimit-remaining": "What is left of it",
  "ratelimit-reset": "Seconds until more of it is free",
};

const NOT_MODIFIED = { 304: { description: "The caller has it already, by the If-None-Match that was sent" } };

const errorSchema = z
  .object({
    error: z.object({
      code: z.enum(Object.keys(ERROR_CODES) as [string, ...string[]]),
      numeric_code: z.int(),
      message: z.string(),
      request_id: z.string(),
      details: z.unknown().optional(),
      retry_after: z.int().optional().describe("Seconds"),
    }),
    code: z.string().describe("The same as error.code"),
    message: z.string().describe("The same as error.message"),
  })
  .meta({ id: "Error" });

/** The OpenAPI 3.1 document of the endpoints, from the very schemas that validate their requests. */
export function openApiDocument(endpoints: readonly Endpoint[]): OpenApiDocument {
  const schemas: Record<string, Schema> = {};
  const jsonSchema = (schema: z.ZodType, io: "input" | "output"): Schema => {
    const { $schema, $defs, ...root } = z.toJSONSchema(schema, { io, unrepresentable: "any", target: "draft-2020-12" });
    for (const [name, definition] of Object.entries($defs ?? {})) schemas[name] = componentLinks(definition);
    const { id } = root as { id?: string };
    if (id === undefined) return componentLinks(root);
    schemas[id] = componentLinks(root);
    return { $ref: `#/components/schemas/${id}` };
  };
  const json = (schema: Schema): unknown => ({ "application/json": { schema } });
  const errorContent = json(jsonSchema(errorSchema, "output"));

  const headerLinks = Object.fromEntries(
    Object.keys(LIMIT_HEADERS).map((name) => [name, { $ref: `#/components/headers/${name}` }]),
  );

  const paths: Record<string, Record<string, Operation>> = {};
  for (const route of endpoints) {
    // Any URL may be wrongly encoded, and any server wrongly configured.
    const statuses = new Set([
      400,
      503,
      ...(route.body ? [413, 415, 422] : []),
      ...(route.isPublic ? [] : [401, 403, 429]),
      ...(route.errors ?? []),
    ]);
    const errors = [...statuses]
      .toSorted((a, b) => a - b)
      .map((status) => [
        status,
        {
          description: meaning(status),
          ...(status === 429 ? { headers: headerLinks } : {}),
          content: errorContent,
        },
      ]);
    paths[route.path] = {
      ...paths[route.path],
      [route.method.toLowerCase()]: {
        operationId: operationId(route),
        tags: [route.tag],
        summary: route.summary,
        ...(route.description === undefined ? {} : { description: route.description }),
        ...(route.successor === undefined ? {} : { deprecated: true }),
        security: route.isPublic ? [] : [{ apiKey: [] }, { apiKeyHeader: [] }],
        parameters: [
          ...parameters(route.params && jsonSchema(route.params, "input"), "path"),
          ...parameters(route.query && jsonSchema(route.query, "input"), "query"),
        ],
        ...(route.body && { requestBody: { required: true, content: json(jsonSchema(route.body, "input")) } }),
        responses: {
          [route.isWebSocket ? 101 : 200]: {
            description: route.isWebSocket ? "A WebSocket, on which the server's messages have this form" : "Success",
            content: { [route.mediaType ?? "application/json"]: { schema: jsonSchema(route.response, "output") } },
          },
          ...(route.isImmutable ? NOT_MODIFIED : {}),
          ...Object.fromEntries(errors),
        },
      },
    };
  }
  return {
    openapi: "3.1.0",
    info: { title: "StateSet Sequencer", version: VERSION, description: DESCRIPTION },
    paths,
    components: {
      schemas: Object.fromEntries(Object.entries(schemas).toSorted(([a], [b]) => (a < b ? -1 : 1))),
      headers: Object.fromEntries(
        Object.entries(LIMIT_HEADERS).map(([name, description]) => [
          name,
          { description, schema: { type: "integer" } },
        ]),
      ),
      securitySchemes: {
        apiKey: {
          type: "apiKey",
          in: "header",
          name: "Authorization",
          description: "ApiKey <key>, Bearer <key> or Bearer <token>",
        },
        apiKeyHeader: { type: "apiKey", in: "header", name: "x-api-key" },
      },
    },
  };
}

/** Definitions that a schema brings along move to the document's components. */
function componentLinks(schema: Schema): Schema {
  const { $schema, id, ...rest } = schema;
  return JSON.parse(JSON.stringify(rest).replaceAll('"#/$defs/', '"#/components/schemas/')) as Schema;
}

function parameters(schema: Schema | undefined, place: "path" | "query"): Operation["parameters"] {
  const properties = (schema?.["properties"] ?? {}) as Record<string, Schema>;
  const required = (schema?.["required"] ?? []) as string[];
  return Object.entries(properties).map(([name, { description, ...rest }]) => ({
    name,
    in: place,
    required: place === "path" || required.includes(name),
    ...(typeof description === "string" ? { description } : {}),
    schema: rest,
  }));
}

function operationId({ method, path }: Endpoint): string {
  const words = path
    .replaceAll(/[{}]/g, "")
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== "" && word !== "api");
  return [method.toLowerCase(), ...words].join("_");
}

function meaning(status: number): string {
  switch (status) {
    case 400:
      return "A parameter is missing or wrong, or the body is not JSON, or the URL is not percent-encoded UTF-8";
    case 401:
      return "No credential, or one that is not valid";
    case 403:
      return "The caller may not do this";
    case 404:
      return "There is no such thing";
    case 409:
      return "It exists already, or is not unique";
    case 413:
      return "The body, a payload or the number of events is above its limit";
    case 415:
      return "The body is not declared as JSON";
    case 422:
      return "The body is JSON of another form than expected; details name the members";
    case 426:
      return "It is a WebSocket: send Upgrade: websocket";
    case 429:
      return "A rate limit is used up";
    case 500:
      return "The contract does not take it: the message says why";
    default:
      return "Try again after the seconds in Retry-After; repeating is safe";
  }
}
