import {
  canonicalJson,
  type JsonValue,
  sha256,
  str,
  taggedHash,
  utf8,
  uuidBytes,
  uuidFromBytes,
} from "../../../src/ves/index.ts";
import type { AgentIdentity } from "../signer.ts";

/** Something that is to be recorded once. */
export interface Action {
  readonly entityType: string;
  readonly entityId: string;
  readonly eventType: string;
  readonly payload: JsonValue;
  /** UUID. */
  readonly commandId: string;
  readonly baseVersion: number | undefined;
}

const actionHash = taggedHash("STATESET_AGENT_ACTION_V1");

/** UUIDs of version 8 are made as their maker likes; their variant is that of all versions (RFC 9562). */
const VERSION = 0x80;
const VARIANT = 0x80;

/**
 * The id of an action's event. It follows from who acts and from all that the action says: the same action again is the same
 * event, in this process or in another one, and the same command with other contents is another event, which the sequencer
 * refuses because the command was used.
 *
 * @throws VesError for a payload that is no canonical JSON
 */
export function actionEventId({ tenantId, storeId, agentId }: AgentIdentity, action: Action): string {
  const hash = actionHash(
    ...[tenantId, storeId, agentId, action.commandId].map(uuidBytes),
    ...[action.entityType, action.entityId, action.eventType, String(action.baseVersion ?? "any")].map(str),
    sha256(utf8(canonicalJson(action.payload))),
  );
  const bytes = hash.slice(0, 16);
  bytes[6] = VERSION | ((bytes[6] ?? 0) & 0x0f);
  bytes[8] = VARIANT | ((bytes[8] ?? 0) & 0x3f);
  return uuidFromBytes(bytes);
}
