import { describe, expect, test } from "vitest";
import {
  decryptPayload,
  type EncryptionKey,
  generateEncryptionKey,
  type GroupMember,
  groupFromJson,
  groupToJson,
  laterGroup,
  newGroup,
  type RecipientGroup,
  withMembers,
  withoutAgents,
} from "../../../agent/src/encryption/index.ts";
import { newSigner } from "../../../scripts/lib/signer.ts";
import type { Envelope, JsonObject } from "../../../src/ves/index.ts";
import { endToEndEvent } from "../../support/end-to-end-event.ts";

interface Agent extends GroupMember {
  readonly key: EncryptionKey;
}

async function agent(): Promise<Agent> {
  const key = await generateEncryptionKey();
  return { agentId: crypto.randomUUID(), kid: key.kid, publicKey: key.publicKey, key };
}

const signer = await newSigner(crypto.randomUUID(), crypto.randomUUID());
const [a, b, c] = await Promise.all([agent(), agent(), agent()]);

const to = (group: RecipientGroup): Promise<Envelope> =>
  endToEndEvent(signer, { entityType: "t", entityId: "1", eventType: "t.x", payload: group.epoch }, group.members);

/** Which of the three read the event. */
async function readersOf(envelope: Envelope): Promise<Agent[]> {
  const attempts = [a, b, c].map((one) =>
    decryptPayload({ envelope, ...one.key }).then(
      () => [one],
      () => [],
    ),
  );
  return (await Promise.all(attempts)).flat();
}

describe("a group", () => {
  test("who is removed reads what was before, and nothing of what follows; who joins reads nothing of what was before", async () => {
    const first = newGroup("buyers", [a, b]);
    const second = withMembers(first, [c]);
    const third = withoutAgents(second, [a.agentId]);
    expect([first, second, third].map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
    const events = await Promise.all([first, second, third].map(to));
    expect(await Promise.all(events.map(readersOf))).toEqual([
      [a, b],
      [a, b, c],
      [b, c],
    ]);
    expect(first.members).toHaveLength(2);
  });

  test("nobody is left to encrypt to once all have gone", async () => {
    await expect(to(withoutAgents(newGroup("buyers", [a]), [a.agentId]))).rejects.toMatchObject({
      code: "invalid_recipients",
    });
  });

  test("an agent that changes its key is in it with the new one", async () => {
    const renewed = { ...(await agent()), agentId: a.agentId };
    const group = withMembers(withoutAgents(newGroup("buyers", [a, b]), [a.agentId]), [renewed]);
    const event = await to(group);
    expect(await readersOf(event)).toEqual([b]);
    expect(await decryptPayload({ envelope: event, ...renewed.key })).toBe(3);
  });

  test("the later epoch is in force, and two states of one epoch are a conflict", () => {
    const first = newGroup("buyers", [a, b]);
    const second = withoutAgents(first, [a.agentId]);
    expect(laterGroup(first, second)).toBe(second);
    expect(laterGroup(second, first)).toBe(second);
    expect(laterGroup(second, groupFromJson(groupToJson(second)))).toBe(second);
    const forked = withMembers(first, [c]);
    expect(() => laterGroup(second, forked)).toThrow(expect.objectContaining({ code: "group_conflict" }) as Error);
    const other = newGroup("sellers", [a]);
    expect(() => laterGroup(other, second)).toThrow(expect.objectContaining({ code: "group_conflict" }) as Error);
  });

  test("comes back from JSON as it was, without a private key in it", () => {
    const group = withMembers(newGroup("buyers", [a]), [b]);
    const json = JSON.parse(JSON.stringify(groupToJson(group))) as JsonObject;
    const members = [a, b].map(({ agentId, kid, publicKey }) => ({ agentId, kid, publicKey }));
    expect(groupFromJson(json)).toEqual({ name: "buyers", epoch: 2, members });
    expect(Object.keys((json["members"] as JsonObject[])[0] ?? {})).toEqual(["agent_id", "kid", "public_key"]);
  });

  test.each<[string, (json: JsonObject, member: JsonObject) => unknown]>([
    ["no object", () => null],
    ["no name", (json) => ({ ...json, name: "" })],
    ["a name of 129 characters", (json) => ({ ...json, name: "x".repeat(129) })],
    ["epoch 0", (json) => ({ ...json, epoch: 0 })],
    ["a key of 31 bytes", (json, member) => ({ ...json, members: [{ ...member, public_key: "00".repeat(31) }] })],
    ["an agent that is none", (json, member) => ({ ...json, members: [{ ...member, agent_id: "a" }] })],
    ["one kid twice", (json, member) => ({ ...json, members: [member, member] })],
    [
      "257 keys",
      (json, member) => ({ ...json, members: Array.from({ length: 257 }, (_, kid) => ({ ...member, kid })) }),
    ],
  ])("is not read from JSON with %s", (_, change) => {
    const json = groupToJson(newGroup("buyers", [a]));
    const [member] = json["members"] as JsonObject[];
    expect(() => groupFromJson(change(json, member ?? {}) as JsonObject)).toThrow(
      expect.objectContaining({ code: "invalid_group" }) as Error,
    );
  });

  test("two keys with one kid do not fit into it", () => {
    expect(() => withMembers(newGroup("buyers", [a]), [{ ...b, kid: a.kid }])).toThrow("same kid");
    expect(() => newGroup("", [a])).toThrow("a name has 1 to 128 characters");
  });
});
