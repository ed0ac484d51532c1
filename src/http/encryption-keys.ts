import { z } from "zod";
import { requireAgentOrAdmin, requireFlag, requirePermission } from "../access/principal.ts";
import { RequestError } from "../errors.ts";
import { bytesField, timeField } from "../fields.ts";
import { registryStub } from "../tenant/registry-client.ts";
import { MAX_KEY_ID } from "../tenant/registry.ts";
import {
  agentKeyProblem,
  checkRegistrableEncryptionKey,
  encryptionKeyDirectoryHash,
  encryptionKeyHash,
  to0xHex,
  toRfc3339Offset,
  u32Field,
  uuidField,
  verifyEd25519,
} from "../ves/index.ts";
import { auditContext } from "./audit-context.ts";
import type { AppContext } from "./context.ts";
import { endpoint } from "./endpoint.ts";
import { agentParams, hex0xText, numberParam, timeOrNull, timeText, uuidText } from "./schemas.ts";

/** How far an agent's clock may be ahead: a statement from further ahead would keep all others out until then. */
const MAX_AHEAD_MS = 5 * 60_000;

const registration = z
  .object({
    tenantId: uuidField,
    kid: u32Field.describe("The recipient_kid of events that are encrypted to it; one key's only in the tenant"),
    publicKey: bytesField(32).describe("X25519"),
    signingKeyId: u32Field.describe("The registered signing key of the agent that signs this"),
    signedAt: timeField
      .refine((ms) => ms >= 0, "expected a time since 1970")
      .describe("RFC 3339, in milliseconds; later than that of the statement that this one replaces"),
    signature: bytesField(64).describe("By that key, over the statement's hash: docs/encryption.md"),
    validTo: timeField
      .refine((ms) => ms >= 0, "expected a time since 1970")
      .nullish()
      .describe("RFC 3339; to be encrypted to until then, inclusive"),
  })
  .meta({ id: "EncryptionKeyRegistration", description: "Member names may also be given in snake_case" });

const registered = z.object({
  tenantId: uuidText,
  agentId: uuidText,
  kid: z.int(),
  status: z.literal("active"),
});

const directory = z.object({
  agentId: uuidText,
  tenantId: uuidText,
  keys: z
    .array(
      z.object({
        kid: z.int(),
        algorithm: z.literal("x25519"),
        publicKey: hex0xText,
        signingKeyId: z.int(),
        signedAt: timeText.describe("By the agent's clock"),
        signature: hex0xText.describe("The agent's, as it was registered with"),
        createdAt: timeText,
        validTo: timeText.nullable(),
        revokedAt: timeText.nullable(),
      }),
    )
    .describe("Newest first; revoked and expired ones included, because events name them"),
  signedAt: timeText,
  directorySignature: hex0xText.describe(
    "By the sequencer's current key, over SHA-256(VES_ENCRYPTION_KEYDIR_V1 ‖ JCS(the rest))",
  ),
});

const revoked = z.object({
  tenantId: uuidText,
  agentId: uuidText,
  kid: z.int(),
  status: z.literal("revoked"),
  revokedAt: timeText,
});

const tenantQuery = z.object({ tenant_id: uuidField });

async function register(
  c: AppContext,
  agentId: string,
  { tenantId, ...body }: z.output<typeof registration>,
): Promise<z.output<typeof registered>> {
  requireAgentOrAdmin(c.get("principal"), tenantId, agentId);
  requireFlag(c.get("principal"), "write", "admin");
  const { signature, ...key } = { ...body, agentId, validTo: body.validTo ?? null };
  const unsound = checkRegistrableEncryptionKey(key.publicKey);
  if (unsound !== undefined) throw new RequestError("INVALID_PUBLIC_KEY", `publicKey ${unsound.message}`);
  if (key.signedAt > Date.now() + MAX_AHEAD_MS) {
    throw new RequestError("UNPROCESSABLE", "signedAt: expected a time that is not ahead of the sequencer's clock");
  }
  const registry = registryStub(c.env, tenantId);
  const signingKey = (await registry.keys(agentId)).find(({ keyId }) => keyId === key.signingKeyId);
  const problem = agentKeyProblem(signingKey, Date.now());
  if (signingKey === undefined || problem !== undefined) throw unusable(key.signingKeyId, problem);
  if (!(await verifyEd25519(signingKey.publicKey, encryptionKeyHash({ ...key, tenantId }), signature))) {
    throw new RequestError("SIGNATURE_VERIFICATION_FAILED", `signature does not verify under key ${key.signingKeyId}`);
  }
  const result = await registry.registerEncryptionKey({ ...key, signature }, auditContext(c));
  if (result.kind === "kid_taken") {
    throw new RequestError("ALREADY_EXISTS", `kid ${key.kid} is another key's of this tenant, or was one's`);
  }
  if (result.kind === "outdated") {
    throw new RequestError(
      "ALREADY_EXISTS",
      `A statement about key ${key.kid} that was not signed earlier is registered`,
    );
  }
  if (result.kind === "too_many_keys") {
    throw new RequestError("LIMIT_REACHED", `An agent may have ${result.limit} keys, revoked ones included`);
  }
  if (result.kind === "signing_key_unusable") {
    throw unusable(key.signingKeyId, "it was revoked or has expired just now");
  }
  return { tenantId, agentId, kid: key.kid, status: "active" };
}

function unusable(signingKeyId: number, problem: string | undefined): RequestError {
  return new RequestError("SIGNATURE_VERIFICATION_FAILED", `signingKeyId ${signingKeyId} cannot sign this: ${problem}`);
}

async function list(c: AppContext, tenantId: string, agentId: string): Promise<z.output<typeof directory>> {
  requirePermission(c.get("principal"), "read", tenantId);
  const keys = await registryStub(c.env, tenantId).encryptionKeys(agentId);
  const body = {
    agentId,
    tenantId,
    keys: keys.map((key) => ({
      kid: key.kid,
      algorithm: "x25519" as const,
      publicKey: to0xHex(key.publicKey),
      signingKeyId: key.signingKeyId,
      signedAt: toRfc3339Offset(key.signedAt),
      signature: to0xHex(key.signature),
      createdAt: toRfc3339Offset(key.createdAt),
      validTo: timeOrNull(key.validTo),
      revokedAt: timeOrNull(key.revokedAt),
    })),
    signedAt: toRfc3339Offset(Date.now()),
  };
  const signature = await c.get("config").receiptKeys.current.key.sign(encryptionKeyDirectoryHash(body));
  return { ...body, directorySignature: to0xHex(signature) };
}

async function revoke(
  c: AppContext,
  tenantId: string,
  agentId: string,
  kid: number,
): Promise<z.output<typeof revoked>> {
  requireAgentOrAdmin(c.get("principal"), tenantId, agentId);
  requireFlag(c.get("principal"), "write", "admin");
  const key = await registryStub(c.env, tenantId).revokeEncryptionKey(agentId, kid, auditContext(c));
  if (key === null || key.revokedAt === null) {
    throw new RequestError("AGENT_KEY_NOT_FOUND", `Agent ${agentId} has no encryption key ${kid}`);
  }
  return { tenantId, agentId, kid, status: "revoked", revokedAt: toRfc3339Offset(key.revokedAt) };
}

/** The keys that payloads are encrypted to, end to end: the sequencer lists them, and decrypts with none. */
export const encryptionKeyEndpoints = [
  endpoint({
    method: "POST",
    path: "/api/v1/agents/{agent_id}/encryption-keys",
    tag: "Encryption keys",
    summary: "Register a key that payloads are encrypted to",
    description:
      "The same key again replaces its statement, if it was signed later: with another signing key, or another end.",
    params: agentParams,
    body: registration,
    response: registered,
    errors: [409],
    handle: (c, { params, body }) => register(c, params.agent_id, body),
  }),
  endpoint({
    method: "GET",
    path: "/api/v1/agents/{agent_id}/encryption-keys",
    tag: "Encryption keys",
    summary: "An agent's encryption keys, each signed by the agent and all of them by the sequencer",
    params: agentParams,
    query: tenantQuery,
    response: directory,
    handle: (c, { params, query }) => list(c, query.tenant_id, params.agent_id),
  }),
  endpoint({
    method: "DELETE",
    path: "/api/v1/agents/{agent_id}/encryption-keys/{kid}",
    tag: "Encryption keys",
    summary: "Revoke an encryption key",
    description: "Nobody is to encrypt to it any more; what was encrypted to it stays readable to its owner.",
    params: agentParams.extend({ kid: numberParam(0, MAX_KEY_ID) }),
    query: tenantQuery,
    response: revoked,
    errors: [404],
    handle: (c, { params, query }) => revoke(c, query.tenant_id, params.agent_id, params.kid),
  }),
];
