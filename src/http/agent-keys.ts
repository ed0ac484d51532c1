import { z } from "zod";
import { requirePermission } from "../access/principal.ts";
import type { Config } from "../config.ts";
import { RequestError } from "../errors.ts";
import type { RegisteredKey } from "../tenant/messages.ts";
import { registryStub } from "../tenant/registry-client.ts";
import { MAX_KEY_ID } from "../tenant/registry.ts";
import {
  agentKeyProblem,
  checkRegistrableKey,
  keyDirectoryHash,
  to0xHex,
  toHex,
  toRfc3339Offset,
  u32Field,
  uuidField,
  verifyProofOfPossession,
} from "../ves/index.ts";
import { bytesField, timeField } from "../fields.ts";
import { auditContext } from "./audit-context.ts";
import type { AppContext } from "./context.ts";
import { endpoint } from "./endpoint.ts";
import { hex0xText, hexText, numberParam, timeOrNull, timeText, uuidText } from "./schemas.ts";

/** Numbers 0 and 1 are Ed25519, as are numbers nobody has given a meaning (VES 3.3). */
const OTHER_ALGORITHMS = ["X25519", "ML-DSA-65", "ML-KEM-768", "Ed25519+ML-DSA-65", "X25519+ML-KEM-768"];

const registration = z
  .object({
    tenantId: uuidField,
    agentId: uuidField,
    keyId: u32Field.nullish().describe("The next free one when absent"),
    publicKey: bytesField(32),
    validFrom: timeField.nullish().describe("RFC 3339; valid from then on, inclusive"),
    validTo: timeField.nullish().describe("RFC 3339; valid until then, inclusive"),
    validUntil: timeField.nullish().describe("Another name for validTo"),
    keyAlgorithm: z.int32().nullish().describe("0 or 1 Ed25519; others are not served"),
    publicKeyBundle: z.looseObject({ ed25519PublicKey: bytesField(32).nullish() }).nullish(),
    proofOfPossession: bytesField(64).nullish().describe("Signature over SHA-256(VES_POP_V1 ‖ public key) (VES 2.9)"),
    proofOfPossessionBundle: z.looseObject({ ed25519Pop: bytesField(64).nullish() }).nullish(),
  })
  .meta({ id: "KeyRegistration", description: "Member names may also be given in snake_case" });

const registered = z.object({
  success: z.literal(true),
  tenantId: uuidText,
  agentId: uuidText,
  keyId: z.int(),
  keyAlgorithm: z.int(),
  message: z.string(),
  status: z.literal("active"),
  tenant_id: uuidText,
  agent_id: uuidText,
  key_id: z.int(),
});

const keyList = z.object({
  keys: z.array(
    z.object({
      key_id: z.int(),
      agent_id: uuidText,
      algorithm: z.literal("ed25519"),
      public_key: hexText,
      status: z.enum(["active", "revoked", "expired", "not_yet_valid"]),
      created_at: timeText,
      valid_from: timeText.nullable(),
      valid_to: timeText.nullable(),
      revoked_at: timeText.nullable(),
    }),
  ),
});

const keyDirectory = z.object({
  agentId: uuidText,
  tenantId: uuidText,
  keys: z.array(
    z.object({
      keyId: z.int(),
      algorithm: z.literal("ed25519"),
      publicKey: hex0xText,
      publicKeyBundle: z.null(),
      validFrom: timeText.nullable(),
      validTo: timeText.nullable(),
      revokedAt: timeText.nullable(),
    }),
  ),
  signedAt: timeText,
  directorySignature: hex0xText.describe("By the sequencer's current key, over SHA-256(VES_KEYDIR_V1 ‖ JCS(the rest))"),
});

const revoked = z.object({
  success: z.literal(true),
  tenant_id: uuidText,
  agent_id: uuidText,
  key_id: z.int(),
  status: z.literal("revoked"),
  revoked_at: timeText,
});

const tenantQuery = z.object({ tenant_id: uuidField });
const keyIdParam = numberParam(0, MAX_KEY_ID);

async function register(c: AppContext, body: z.output<typeof registration>): Promise<z.output<typeof registered>> {
  requirePermission(c.get("principal"), "admin", body.tenantId);
  await checkRegistration(body, c.get("config"));
  const key = {
    agentId: body.agentId,
    keyId: body.keyId ?? null,
    publicKey: body.publicKey,
    validFrom: body.validFrom ?? null,
    validTo: body.validTo ?? body.validUntil ?? null,
  };
  const result = await registryStub(c.env, body.tenantId).registerKey(key, auditContext(c));
  if (result.kind === "key_exists") {
    throw new RequestError("ALREADY_EXISTS", `Key ${result.keyId} of agent ${body.agentId} is registered already`);
  }
  if (result.kind === "too_many_keys") {
    throw new RequestError("LIMIT_REACHED", `An agent may have ${result.limit} keys, revoked ones included`);
  }
  const { tenantId, agentId } = body;
  const { keyId } = result;
  return {
    success: true,
    tenantId,
    agentId,
    keyId,
    keyAlgorithm: body.keyAlgorithm ?? 0,
    message: `Key ${keyId} of agent ${agentId} is registered`,
    status: "active",
    tenant_id: tenantId,
    agent_id: agentId,
    key_id: keyId,
  };
}

async function checkRegistration(body: z.output<typeof registration>, config: Config): Promise<void> {
  const algorithm = OTHER_ALGORITHMS[(body.keyAlgorithm ?? 0) - 2];
  if (algorithm !== undefined) {
    throw refused(
      "UNPROCESSABLE",
      "keyAlgorithm",
      `${body.keyAlgorithm} (${algorithm}) is not served, only Ed25519 (0 or 1)`,
    );
  }
  const inBundle = body.publicKeyBundle?.ed25519PublicKey;
  if (inBundle != null && toHex(inBundle) !== toHex(body.publicKey)) {
    throw refused("INVALID_PUBLIC_KEY", "publicKeyBundle.ed25519PublicKey", "is another key than publicKey");
  }
  const unsound = checkRegistrableKey(body.publicKey);
  if (unsound !== undefined) throw refused("INVALID_PUBLIC_KEY", "publicKey", unsound.message);

  const proof = body.proofOfPossession ?? body.proofOfPossessionBundle?.ed25519Pop;
  if (proof == null && config.requireProofOfPossession) {
    throw refused("MISSING_REQUIRED_FIELD", "proofOfPossession", "is demanded by this deployment");
  }
  if (proof != null && !(await verifyProofOfPossession(body.publicKey, proof))) {
    throw refused("SIGNATURE_VERIFICATION_FAILED", "proofOfPossession", "does not verify under publicKey");
  }
  const validTo = body.validTo ?? body.validUntil;
  if (body.validFrom != null && validTo != null && body.validFrom > validTo) {
    throw refused("UNPROCESSABLE", "validTo", "lies before validFrom");
  }
}

function refused(code: ConstructorParameters<typeof RequestError>[0], path: string, message: string): RequestError {
  return new RequestError(code, `${path} ${message}`, { details: [{ path, message }] });
}

async function list(c: AppContext, tenantId: string, agentId: string | undefined): Promise<z.output<typeof keyList>> {
  requirePermission(c.get("principal"), "read", tenantId);
  const keys = await registryStub(c.env, tenantId).keys(agentId);
  const now = Date.now();
  return {
    keys: keys.map((key) => ({
      key_id: key.keyId,
      agent_id: key.agentId,
      algorithm: "ed25519",
      public_key: toHex(key.publicKey),
      status: statusOf(key, now),
      created_at: toRfc3339Offset(key.createdAt),
      valid_from: timeOrNull(key.validFrom),
      valid_to: timeOrNull(key.validTo),
      revoked_at: timeOrNull(key.revokedAt),
    })),
  };
}

function statusOf(key: RegisteredKey, now: number): "active" | "revoked" | "expired" | "not_yet_valid" {
  switch (agentKeyProblem(key, now)) {
    case "Agent key has been revoked":
      return "revoked";
    case "Agent key has expired":
      return "expired";
    case "Agent key is not yet valid":
      return "not_yet_valid";
    default:
      return "active";
  }
}

async function revoke(
  c: AppContext,
  tenantId: string,
  agentId: string,
  keyId: number,
): Promise<z.output<typeof revoked>> {
  requirePermission(c.get("principal"), "admin", tenantId);
  const key = await registryStub(c.env, tenantId).revokeKey(agentId, keyId, auditContext(c));
  if (key === null || key.revokedAt === null) {
    throw new RequestError("AGENT_KEY_NOT_FOUND", `Agent ${agentId} has no key ${keyId}`);
  }
  return {
    success: true,
    tenant_id: tenantId,
    agent_id: agentId,
    key_id: keyId,
    status: "revoked",
    revoked_at: toRfc3339Offset(key.revokedAt),
  };
}

const revocationDescription =
  "Answers once no stream can accept an event signed with the key any more, within about two seconds. Repeating it is safe.";

/** Registration, listing and revocation of the keys that agents sign with. */
export const agentKeyEndpoints = [
  ...["/api/v1/agents/keys", "/api/v1/agent-keys"].flatMap((path) => [
    endpoint({
      method: "POST",
      path,
      tag: "Agent keys",
      summary: "Register a signing key",
      body: registration,
      response: registered,
      errors: [409],
      handle: (c, { body }) => register(c, body),
    }),
    endpoint({
      method: "GET",
      path,
      tag: "Agent keys",
      summary: "List signing keys",
      query: tenantQuery.extend({ agent_id: uuidField.optional() }),
      response: keyList,
      handle: (c, { query }) => list(c, query.tenant_id, query.agent_id),
    }),
  ]),
  endpoint({
    method: "DELETE",
    path: "/api/v1/agent-keys/{key_id}",
    tag: "Agent keys",
    summary: "Revoke a signing key",
    description: revocationDescription,
    params: z.object({ key_id: keyIdParam }),
    query: tenantQuery.extend({ agent_id: uuidField }),
    response: revoked,
    errors: [404],
    handle: (c, { params, query }) => revoke(c, query.tenant_id, query.agent_id, params.key_id),
  }),
  endpoint({
    method: "DELETE",
    path: "/api/v1/agents/{agent_id}/keys/{key_id}",
    tag: "Agent keys",
    summary: "Revoke a signing key",
    description: revocationDescription,
    params: z.object({ agent_id: uuidField, key_id: keyIdParam }),
    query: tenantQuery,
    response: revoked,
    errors: [404],
    handle: (c, { params, query }) => revoke(c, query.tenant_id, params.agent_id, params.key_id),
  }),
  endpoint({
    method: "GET",
    path: "/api/v1/agents/{agent_id}/signing-keys",
    tag: "Agent keys",
    summary: "An agent's key directory, signed by the sequencer",
    params: z.object({ agent_id: uuidField }),
    query: tenantQuery,
    response: keyDirectory,
    handle: async (c, { params, query }) => {
      requirePermission(c.get("principal"), "read", query.tenant_id);
      const keys = await registryStub(c.env, query.tenant_id).keys(params.agent_id);
      const body = {
        agentId: params.agent_id,
        tenantId: query.tenant_id,
        keys: keys.map((key) => ({
          keyId: key.keyId,
          algorithm: "ed25519",
          publicKey: to0xHex(key.publicKey),
          publicKeyBundle: null,
          validFrom: timeOrNull(key.validFrom),
          validTo: timeOrNull(key.validTo),
          revokedAt: timeOrNull(key.revokedAt),
        })),
        signedAt: toRfc3339Offset(Date.now()),
      };
      const signature = await c.get("config").receiptKeys.current.key.sign(keyDirectoryHash(body));
      return { ...body, directorySignature: to0xHex(signature) };
    },
  }),
];
