import { canonicalJson, type JsonObject, sha256, toHex, toRfc3339Offset, utf8 } from "../ves/index.ts";
import type { AuditAct, AuditContext, AuditDetails, UnchainedEntry } from "./entry.ts";

/** Bytes of details as canonical JSON. Larger ones are stood for by their hash. */
export const MAX_DETAILS_BYTES = 2_048;
/** UTF-16 units of any other text. With these an entry has 5 KB at most, and rarely 1. */
export const MAX_TEXT_LENGTH = 256;

/**
 * An entry that says this. Whatever is too long for it is cut off, so that nothing that a caller sends can keep what it
 * does from being recorded.
 *
 * @param identity `now` is in milliseconds since the epoch
 */
export function newEntry(
  { id, tenantId, now }: { readonly id: string; readonly tenantId: string; readonly now: number },
  { actor, credential, address, userAgent, requestId }: AuditContext,
  { action, resource, storeId, details }: AuditAct,
): UnchainedEntry {
  return {
    id,
    tenant_id: tenantId,
    recorded_at: toRfc3339Offset(now),
    action,
    actor: { kind: actor.kind, agent_id: actor.agentId },
    credential: bounded(credential),
    address: bounded(address),
    user_agent: bounded(userAgent),
    request_id: bounded(requestId),
    resource: { type: resource.type, id: bounded(resource.id) },
    store_id: storeId,
    details: boundedDetails(details),
  };
}

function bounded<Text extends string | null>(text: Text): Text {
  // A pair of surrogates may be cut in two, and a lone one has no canonical JSON.
  return (text === null ? null : text.slice(0, MAX_TEXT_LENGTH).toWellFormed()) as Text;
}

function boundedDetails(details: AuditDetails): AuditDetails {
  const wellFormed = JSON.parse(JSON.stringify(details, (_, value: unknown) => wellFormedText(value))) as AuditDetails;
  const bytes = utf8(canonicalJson(wellFormed as JsonObject));
  if (bytes.length <= MAX_DETAILS_BYTES) return wellFormed;
  return { details_bytes: bytes.length, details_sha256: toHex(sha256(bytes)) };
}

function wellFormedText(value: unknown): unknown {
  return typeof value === "string" ? value.toWellFormed() : value;
}
