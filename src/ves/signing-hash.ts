import { maxStrBytes, putFixed, putStr, putU32, putU64, utf8 } from "./bytes.ts";
import { VesError } from "./errors.ts";
import { sha256 } from "./sha256.ts";
import { putUuid } from "./uuid.ts";

/** The members that name an event and that every hash over it begins with. UUIDs are canonical text. */
export interface EventIdentity {
  readonly ves_version: number;
  readonly tenant_id: string;
  readonly store_id: string;
  readonly event_id: string;
  readonly source_agent_id: string;
  readonly agent_key_id: number;
  readonly entity_type: string;
  readonly entity_id: string;
  readonly event_type: string;
  readonly created_at: string;
}

/** What an agent signs. The last two members are covered by version 2 only. */
export interface SignedMembers extends EventIdentity {
  readonly payload_kind: number;
  readonly payload_plain_hash: Uint8Array;
  readonly payload_cipher_hash: Uint8Array;
  readonly command_id?: string | undefined;
  readonly base_version?: number | undefined;
}

const EVENTSIG_V1 = utf8("VES_EVENTSIG_V1");
const EVENTSIG_V2 = utf8("VES_EVENTSIG_V2");

/** Domain 15, version 4, four UUIDs 64, key id 4, kind 4, two hashes 64. The strings bring their own length words. */
const FIXED_BYTES = 15 + 4 + 64 + 4 + 4 + 64;

/** Domain 15, inner hash 32, two presence bytes, command id 16, base version 8. */
const MAX_V2_BYTES = 15 + 32 + 2 + 16 + 8;

/** Upper bound of what {@link putIdentity} writes. */
export function maxIdentityBytes(event: EventIdentity): number {
  const strings =
    maxStrBytes(event.entity_type) +
    maxStrBytes(event.entity_id) +
    maxStrBytes(event.event_type) +
    maxStrBytes(event.created_at);
  return 4 * 16 + 4 + strings;
}

/** Writes tenant to `created_at`, the run of members that the signing hash and the payload AAD share (VES 2.2, 2.5). */
export function putIdentity(out: Uint8Array, at: number, event: EventIdentity): number {
  let next = putUuid(out, at, event.tenant_id);
  next = putUuid(out, next, event.store_id);
  next = putUuid(out, next, event.event_id);
  next = putUuid(out, next, event.source_agent_id);
  next = putU32(out, next, event.agent_key_id);
  next = putStr(out, next, event.entity_type);
  next = putStr(out, next, event.entity_id);
  next = putStr(out, next, event.event_type);
  return putStr(out, next, event.created_at);
}

/**
 * The bytes whose SHA-256 is the signing hash of a version 1 event and the inner hash of a version 2 event (VES 2.5).
 *
 * @throws VesError `invalid_uuid`, `out_of_range`, `invalid_length` or `ill_formed_text` for members out of their domain
 */
export function eventSigningPreimage(event: SignedMembers): Uint8Array {
  const out = new Uint8Array(FIXED_BYTES + maxIdentityBytes(event));
  let at = putFixed(out, 0, EVENTSIG_V1, EVENTSIG_V1.length);
  at = putU32(out, at, event.ves_version);
  at = putIdentity(out, at, event);
  at = putU32(out, at, event.payload_kind);
  at = putFixed(out, at, event.payload_plain_hash, 32);
  at = putFixed(out, at, event.payload_cipher_hash, 32);
  return out.subarray(0, at);
}

/**
 * The 32 bytes an agent signs, and the `event_signing_hash` of leaf and receipt (VES 2.5). Version 2 wraps the version 1
 * form and adds `command_id` and `base_version`, each behind a byte that says whether it is there.
 *
 * @throws VesError `unsupported_version` for versions other than 1 and 2, or as {@link eventSigningPreimage}
 */
export function eventSigningHash(event: SignedMembers): Uint8Array {
  if (event.ves_version !== 1 && event.ves_version !== 2) {
    throw new VesError("unsupported_version", `VES event version ${event.ves_version} has no signing hash`);
  }
  const inner = sha256(eventSigningPreimage(event));
  return event.ves_version === 1 ? inner : wrapV2(inner, event.command_id, event.base_version);
}

function wrapV2(inner: Uint8Array, commandId: string | undefined, baseVersion: number | undefined): Uint8Array {
  const out = new Uint8Array(MAX_V2_BYTES);
  let at = putFixed(out, 0, EVENTSIG_V2, EVENTSIG_V2.length);
  at = putFixed(out, at, inner, 32);
  out[at++] = commandId === undefined ? 0 : 1;
  if (commandId !== undefined) at = putUuid(out, at, commandId);
  out[at++] = baseVersion === undefined ? 0 : 1;
  if (baseVersion !== undefined) at = putU64(out, at, baseVersion);
  return sha256(out.subarray(0, at));
}
