import { describe, expect, it } from "vitest";
import type { Signer } from "../../../scripts/lib/signer.ts";
import {
  detailsOf,
  event,
  expectError,
  expectNothingStored,
  ingest,
  newAgent,
  textOf,
  type Wire,
  without,
} from "./harness.ts";
import { base64Url, encrypted, sealed } from "./sealing.ts";

/*
 * VES_STRICT_FORMAT_VALIDATION: bytes of events are taken in one spelling only.
 */

const settings = { VES_STRICT_FORMAT_VALIDATION: "true" };
const HASH = "expected 0x and 64 lower-case hex digits";
const SIGNATURE = "expected 0x and 128 lower-case hex digits";
const UNPADDED = "expected base64url without padding";

async function expectStrict(signer: Signer, wire: Wire, path: string, message: string): Promise<void> {
  const reply = await ingest(signer, [await event(signer), wire], { settings });
  expectError(reply, "UNPROCESSABLE", `events.1.${path}: ${message}`);
  expect(detailsOf(reply)).toEqual([{ path: `events.1.${path}`, message }]);
  await expectNothingStored(signer);
  // Without the setting the very same request is taken.
  expect((await ingest(signer, [wire])).body).toMatchObject({ eventsAccepted: 1, eventsRejected: 0 });
}

describe("with strict formats", () => {
  it("what this server itself spells is taken, and what is left out is no spelling", async () => {
    const signer = await newAgent();
    const events = [await event(signer), await sealed(signer, encrypted(), "binary")];
    const terse = without(without(await event(signer), "payload_plain_hash"), "payload_cipher_hash");
    const reply = await ingest(signer, [...events, terse], { settings });
    expect(reply.body).toMatchObject({ eventsAccepted: 3, eventsRejected: 0 });
  });

  it.each<[string, (text: string) => string, string]>([
    ["payload_plain_hash", (text) => text.slice(2), HASH],
    ["payload_cipher_hash", (text) => text.slice(2), HASH],
    ["payload_plain_hash", (text) => `0x${text.slice(2).toUpperCase()}`, HASH],
    ["agent_signature", (text) => text.slice(2), SIGNATURE],
    ["agent_signature", (text) => `0x${text.slice(2).toUpperCase()}`, SIGNATURE],
  ])("%s in another spelling is refused with the whole request", async (member, spell, message) => {
    const signer = await newAgent();
    const sound = await event(signer);
    await expectStrict(signer, { ...sound, [member]: spell(textOf(sound, member)) }, member, message);
  });

  it("a signature under its other name is held to the same form", async () => {
    const signer = await newAgent();
    const sound = await event(signer);
    const signature = btoa(String.fromCharCode(...bytesOf(textOf(sound, "agent_signature"))));
    const wire = { ...without(sound, "agent_signature"), signature };
    await expectStrict(signer, wire, "signature", SIGNATURE);
  });

  it("padded base64url is refused, in the payload and for its recipients", async () => {
    const ofPayload = await newAgent();
    const padded = { ...encrypted(), tag_b64u: `${base64Url(16)}==` };
    const path = "payload_encrypted.tag_b64u";
    await expectStrict(ofPayload, await sealed(ofPayload, padded, "binary"), path, UNPADDED);

    const ofRecipient = await newAgent();
    const sound = encrypted();
    const recipients = sound.recipients.map((recipient, index) =>
      index === 1 ? { ...recipient, enc_b64u: `${recipient.enc_b64u}=` } : recipient,
    );
    const wire = await sealed(ofRecipient, { ...sound, recipients }, "binary");
    await expectStrict(ofRecipient, wire, "payload_encrypted.recipients.1.enc_b64u", UNPADDED);
  });
});

function bytesOf(hex: string): number[] {
  return (hex.slice(2).match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16));
}
