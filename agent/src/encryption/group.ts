import { z } from "zod";
import {
  canonicalJson,
  fromHex,
  type JsonObject,
  type JsonValue,
  to0xHex,
  u32Field,
  uuidField,
} from "../../../src/ves/index.ts";
import { MAX_RECIPIENTS, type Recipient } from "./encrypt.ts";
import { EncryptionError } from "./errors.ts";

/** A key of a group, and the agent whose it is. */
export interface GroupMember extends Recipient {
  readonly agentId: string;
}

/** Whom a payload is encrypted to under one name: `encryptPayload({ ..., recipients: group.members })`. */
export interface RecipientGroup {
  readonly name: string;
  /** 1, 2, 3 …: rises with every change of its members. */
  readonly epoch: number;
  readonly members: readonly GroupMember[];
}

const MAX_NAME_CHARACTERS = 128;

/** A group as JSON, for the payload of the event that publishes it. */
const groupSchema = z.object({
  name: z.string().min(1).max(MAX_NAME_CHARACTERS),
  epoch: z.int().min(1),
  members: z
    .array(
      z.object({ agent_id: uuidField, kid: u32Field, public_key: z.string().transform((text) => fromHex(text, 32)) }),
    )
    .max(MAX_RECIPIENTS),
});

/** The first epoch of a group. @throws EncryptionError `invalid_group` */
export function newGroup(name: string, members: readonly GroupMember[]): RecipientGroup {
  return checked({ name, epoch: 1, members });
}

/** The next epoch, with more members. They read what is encrypted from now on. @throws EncryptionError `invalid_group` */
export function withMembers(group: RecipientGroup, added: readonly GroupMember[]): RecipientGroup {
  return checked({ ...group, epoch: group.epoch + 1, members: [...group.members, ...added] });
}

/** The next epoch, without all keys of these agents. They go on reading what was encrypted to them before. */
export function withoutAgents(group: RecipientGroup, agentIds: readonly string[]): RecipientGroup {
  const members = group.members.filter(({ agentId }) => !agentIds.includes(agentId));
  return { ...group, epoch: group.epoch + 1, members };
}

/**
 * Which of two states of a group is in force: that of the higher epoch.
 *
 * @throws EncryptionError `group_conflict` for two names, or two states of one epoch: somebody was told another one
 */
export function laterGroup(held: RecipientGroup, received: RecipientGroup): RecipientGroup {
  const isSame = canonicalJson(groupToJson(held)) === canonicalJson(groupToJson(received));
  if (held.name !== received.name || (held.epoch === received.epoch && !isSame)) {
    throw new EncryptionError("group_conflict", `another group at epoch ${received.epoch} of ${held.name}`);
  }
  return received.epoch > held.epoch ? received : held;
}

/** Keys are no secret: this may be published. */
export function groupToJson({ name, epoch, members }: RecipientGroup): JsonObject {
  const list = members.map(({ agentId, kid, publicKey }) => ({
    agent_id: agentId,
    kid,
    public_key: to0xHex(publicKey),
  }));
  return { name, epoch, members: list };
}

/** What {@link groupToJson} gave. @throws EncryptionError `invalid_group` */
export function groupFromJson(value: JsonValue): RecipientGroup {
  let parsed;
  try {
    parsed = groupSchema.parse(value);
  } catch {
    throw new EncryptionError("invalid_group", "not the JSON of a group");
  }
  const members = parsed.members.map(({ agent_id: agentId, kid, public_key: publicKey }) => ({
    agentId,
    kid,
    publicKey,
  }));
  return checked({ name: parsed.name, epoch: parsed.epoch, members });
}

function checked(group: RecipientGroup): RecipientGroup {
  const { name, members } = group;
  if (name === "" || name.length > MAX_NAME_CHARACTERS) {
    throw new EncryptionError("invalid_group", `a name has 1 to ${MAX_NAME_CHARACTERS} characters`);
  }
  if (members.length > MAX_RECIPIENTS) {
    throw new EncryptionError("invalid_group", `a group has at most ${MAX_RECIPIENTS} keys, got ${members.length}`);
  }
  if (new Set(members.map(({ kid }) => kid)).size !== members.length) {
    throw new EncryptionError("invalid_group", "two keys of the group have the same kid");
  }
  return group;
}
