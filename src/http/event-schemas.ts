import { z } from "zod";
import { requirePermission, tenantOf } from "../access/principal.ts";
import { RequestError } from "../errors.ts";
import { COMPATIBILITIES } from "../event-schemas/compatibility.ts";
import { isSchemaForm, MAX_SCHEMA_BYTES, type Schema } from "../event-schemas/schema.ts";
import { isTooLarge, schemaProblem } from "../event-schemas/schema-problem.ts";
import { registryStub } from "../tenant/registry-client.ts";
import { SCHEMA_STATUSES, type SchemaRecord } from "../tenant/schema-messages.ts";
import { canonicalJson, toRfc3339Offset, utf8, uuidField } from "../ves/index.ts";
import { auditContext } from "./audit-context.ts";
import { endpoint } from "./endpoint.ts";
import { schemaValidationEndpoints } from "./schema-validation.ts";
import { eventTypeParam, numberParam, ownTenantQuery, timeText, uuidText } from "./schemas.ts";

const MAX_DESCRIPTION_BYTES = 2_048;

const schemaForm = {
  description: "A JSON Schema (2020-12): an object, or true or false",
  type: ["object", "boolean"],
  additionalProperties: true,
};

const registration = z
  .object({
    tenantId: uuidField,
    eventType: eventTypeParam.refine((name) => !name.includes("\0"), "contains U+0000"),
    schemaJson: z.custom<Schema>(isSchemaForm, "expected an object, true or false").meta(schemaForm),
    description: z
      .string()
      .refine((text) => utf8(text).length <= MAX_DESCRIPTION_BYTES, `expected at most ${MAX_DESCRIPTION_BYTES} bytes`)
      .nullish(),
    compatibility: z.enum(COMPATIBILITIES).nullish().describe("With the latest active version; backward when absent"),
  })
  .meta({ id: "SchemaRegistration", description: "Member names may also be given in snake_case" });

const status = z.enum(SCHEMA_STATUSES);
const version = z.int().min(1).meta({ description: "From 1, for each tenant and event type; never given twice" });

const schemaResponse = z
  .object({
    id: uuidText,
    tenantId: uuidText,
    eventType: z.string(),
    version,
    schemaJson: z.unknown().meta(schemaForm),
    status,
    compatibility: z.enum(COMPATIBILITIES),
    description: z.string().nullable(),
    createdAt: timeText,
    updatedAt: timeText,
    createdBy: uuidText.nullable().describe("The agent whose credential registered it"),
  })
  .meta({ id: "EventSchema" });

const registered = z.object({ id: uuidText, eventType: z.string(), version, createdAt: timeText });
const schemaList = z.object({ schemas: z.array(schemaResponse), count: z.int() });
const schemaParams = z.object({ id: uuidField });
const typeParams = z.object({ event_type: eventTypeParam });
const shared = { tag: "Event schemas" } as const;

const HOLDS = "It holds for every append that starts after the answer, which takes up to about two seconds.";

/** The schemas of event types. docs/schemas.md says what they are compared and checked for. */
export const schemaEndpoints = [
  endpoint({
    ...shared,
    method: "POST",
    path: "/api/v1/schemas",
    summary: "Register the next version of an event type's schema",
    description: `The latest active version is answered when it says the same already. ${HOLDS}`,
    body: registration,
    response: registered,
    errors: [409],
    handle: async (c, { body }) => {
      requirePermission(c.get("principal"), "write", body.tenantId);
      const schemaText = textToRegister(body.schemaJson);
      const schema = {
        eventType: body.eventType,
        schemaText,
        description: body.description ?? null,
        compatibility: body.compatibility ?? "backward",
        createdBy: c.get("principal").agentId,
      };
      const result = await registryStub(c.env, body.tenantId).registerSchema(schema, auditContext(c));
      if (result.kind === "limit_reached") throw new RequestError("LIMIT_REACHED", result.message);
      if (result.kind === "incompatible") {
        const { latestVersion, problems } = result;
        const message = `The schema is not ${body.compatibility ?? "backward"} compatible with version ${latestVersion}`;
        throw new RequestError("SCHEMA_INCOMPATIBLE", message, { details: problems });
      }
      const { schemaId, eventType, version: number, createdAt } = result.schema;
      return { id: schemaId, eventType, version: number, createdAt: toRfc3339Offset(createdAt) };
    },
  }),
  endpoint({
    ...shared,
    method: "GET",
    path: "/api/v1/schemas",
    summary: "List a tenant's schemas",
    description: "By event type, newest version first; the first 1,000.",
    query: ownTenantQuery,
    response: schemaList,
    handle: async (c, { query }) => {
      const tenantId = tenantOf(c.get("principal"), query.tenant_id);
      requirePermission(c.get("principal"), "read", tenantId);
      return listJson(tenantId, await registryStub(c.env, tenantId).listSchemas());
    },
  }),
  ...schemaValidationEndpoints,
  endpoint({
    ...shared,
    method: "GET",
    path: "/api/v1/schemas/event-type/{event_type}",
    summary: "The schemas of an event type, or one version",
    description: "Newest first; with a version, that one alone, under schema.",
    params: typeParams,
    query: ownTenantQuery.extend({ version: numberParam(1, Number.MAX_SAFE_INTEGER).optional() }),
    response: z.union([schemaList, z.object({ schema: schemaResponse })]),
    errors: [404],
    handle: async (c, { params, query }) => {
      const tenantId = tenantOf(c.get("principal"), query.tenant_id);
      requirePermission(c.get("principal"), "read", tenantId);
      const registry = registryStub(c.env, tenantId);
      if (query.version === undefined) return listJson(tenantId, await registry.listSchemas(params.event_type));
      const schema = await registry.schemaOf(params.event_type, query.version);
      if (schema === null) throw notFound(`${params.event_type} has no schema of version ${query.version}`);
      return { schema: schemaJson(tenantId, schema) };
    },
  }),
  endpoint({
    ...shared,
    method: "GET",
    path: "/api/v1/schemas/event-type/{event_type}/latest",
    summary: "The schema that events of a type are held to",
    description: "The highest active version.",
    params: typeParams,
    query: ownTenantQuery,
    response: schemaResponse,
    errors: [404],
    handle: async (c, { params, query }) => {
      const tenantId = tenantOf(c.get("principal"), query.tenant_id);
      requirePermission(c.get("principal"), "read", tenantId);
      const schema = await registryStub(c.env, tenantId).schemaOf(params.event_type);
      if (schema === null) throw notFound(`${params.event_type} has no active schema`);
      return schemaJson(tenantId, schema);
    },
  }),
  endpoint({
    ...shared,
    method: "GET",
    path: "/api/v1/schemas/{id}",
    summary: "A schema by its id",
    params: schemaParams,
    query: ownTenantQuery,
    response: schemaResponse,
    errors: [404],
    handle: async (c, { params, query }) => {
      const tenantId = tenantOf(c.get("principal"), query.tenant_id);
      requirePermission(c.get("principal"), "read", tenantId);
      const schema = await registryStub(c.env, tenantId).schema(params.id);
      if (schema === null) throw unknownId();
      return schemaJson(tenantId, schema);
    },
  }),
  endpoint({
    ...shared,
    method: "PUT",
    path: "/api/v1/schemas/{id}/status",
    summary: "Set a schema's status",
    description: `Events are held to the highest active version. ${HOLDS}`,
    params: schemaParams,
    query: ownTenantQuery,
    body: z.object({ status }),
    response: z.object({ success: z.literal(true), schema_id: uuidText, new_status: status }),
    errors: [404],
    handle: async (c, { params, query, body }) => {
      const tenantId = tenantOf(c.get("principal"), query.tenant_id);
      requirePermission(c.get("principal"), "write", tenantId);
      const isThere = await registryStub(c.env, tenantId).setSchemaStatus(params.id, body.status, auditContext(c));
      if (!isThere) throw unknownId();
      return { success: true, schema_id: params.id, new_status: body.status };
    },
  }),
  endpoint({
    ...shared,
    method: "DELETE",
    path: "/api/v1/schemas/{id}",
    summary: "Delete a schema",
    description: `Its version is never given again. ${HOLDS}`,
    params: schemaParams,
    query: ownTenantQuery,
    response: z.object({ success: z.literal(true), deleted_schema_id: uuidText }),
    errors: [404],
    handle: async (c, { params, query }) => {
      const tenantId = tenantOf(c.get("principal"), query.tenant_id);
      requirePermission(c.get("principal"), "admin", tenantId);
      if (!(await registryStub(c.env, tenantId).deleteSchema(params.id, auditContext(c)))) throw unknownId();
      return { success: true, deleted_schema_id: params.id };
    },
  }),
];

/** The canonical text of a schema that can be registered. @throws RequestError PAYLOAD_TOO_LARGE, INVALID_SCHEMA */
function textToRegister(schema: Schema): string {
  const text = canonicalJson(schema);
  if (isTooLarge(text)) {
    throw new RequestError("PAYLOAD_TOO_LARGE", `A schema may have ${MAX_SCHEMA_BYTES} bytes as canonical JSON`);
  }
  const problem = schemaProblem(schema);
  if (problem === undefined) return text;
  throw new RequestError("INVALID_SCHEMA", `schemaJson${problem.path} ${problem.message}`, { details: [problem] });
}

function listJson(tenantId: string, schemas: readonly SchemaRecord[]): z.output<typeof schemaList> {
  return { schemas: schemas.map((schema) => schemaJson(tenantId, schema)), count: schemas.length };
}

function schemaJson(tenantId: string, schema: SchemaRecord): z.output<typeof schemaResponse> {
  const { schemaId, schemaText, createdAt, updatedAt, ...rest } = schema;
  return {
    id: schemaId,
    tenantId,
    ...rest,
    schemaJson: JSON.parse(schemaText) as unknown,
    createdAt: toRfc3339Offset(createdAt),
    updatedAt: toRfc3339Offset(updatedAt),
  };
}

function unknownId(): RequestError {
  return notFound("There is no schema with this id");
}

function notFound(message: string): RequestError {
  return new RequestError("SCHEMA_NOT_FOUND", message);
}
