import { z } from "zod";
import { requirePermission } from "../access/principal.ts";
import { RequestError } from "../errors.ts";
import { cachedValidator, compileAndKeep } from "../ingest/schema-validators.ts";
import { registryStub } from "../tenant/registry-client.ts";
import { canonicalJson, type JsonValue, utf8, uuidField } from "../ves/index.ts";
import { endpoint } from "./endpoint.ts";
import { eventTypeParam, uuidText } from "./schemas.ts";

const request = z
  .object({
    tenantId: uuidField,
    eventType: eventTypeParam,
    payload: z.custom<JsonValue>((value) => value !== undefined, "Required").meta({ description: "Any JSON" }),
    schemaVersion: z.int().min(1).nullish().describe("The highest active one when absent"),
  })
  .meta({ id: "ValidationRequest", description: "Member names may also be given in snake_case" });

const verdict = z.object({
  valid: z.boolean(),
  schemaId: uuidText.nullable().describe("Null when the event type has no active schema"),
  schemaVersion: z.int().nullable(),
  errors: z.array(z.object({ path: z.string().describe("JSON pointer into the payload"), message: z.string() })),
});

/** Whether a payload would pass, without recording anything. */
export const schemaValidationEndpoints = [
  endpoint({
    method: "POST",
    path: "/api/v1/schemas/validate",
    tag: "Event schemas",
    summary: "Check a payload against its event type's schema",
    description: "At most 20 errors are told. Without a schema every payload is valid.",
    body: request,
    response: verdict,
    errors: [404],
    handle: async (c, { body }): Promise<z.output<typeof verdict>> => {
      requirePermission(c.get("principal"), "read", body.tenantId);
      const text = canonicalJson(body.payload);
      const { maxPayloadBytes } = c.get("config");
      if (utf8(text).length > maxPayloadBytes) {
        throw new RequestError("PAYLOAD_TOO_LARGE", `A payload may have ${maxPayloadBytes} bytes as canonical JSON`);
      }
      const version = body.schemaVersion ?? undefined;
      const schema = await registryStub(c.env, body.tenantId).schemaOf(body.eventType, version);
      if (schema === null) {
        if (version === undefined) return { valid: true, schemaId: null, schemaVersion: null, errors: [] };
        throw new RequestError("SCHEMA_NOT_FOUND", `${body.eventType} has no schema of version ${version}`);
      }
      const { schemaId, schemaText } = schema;
      const validate = cachedValidator(schemaId) ?? compileAndKeep(schemaId, schemaText);
      const errors = validate(body.payload, text.length);
      return { valid: errors.length === 0, schemaId, schemaVersion: schema.version, errors: [...errors] };
    },
  }),
];
