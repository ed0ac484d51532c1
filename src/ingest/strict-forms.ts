import { type FieldProblem, RequestError } from "../errors.ts";

/*
 * Bytes of events have several accepted spellings (VES 3.2). A deployment that takes one only can be sure that two texts of
 * an event that differ are two events.
 */

const HEX_BYTES = { payload_plain_hash: 32, payload_cipher_hash: 32, agent_signature: 64, signature: 64 } as const;
const BASE64URL_MEMBERS = ["nonce_b64u", "ciphertext_b64u", "tag_b64u"] as const;
const RECIPIENT_MEMBERS = ["enc_b64u", "ct_b64u"] as const;

type Members = Readonly<Record<string, unknown>>;

/**
 * Refuses a request with an event whose bytes are spelt in another way than this server spells them: hex of lower-case digits
 * after `0x`, base64url without padding. What is no text or is missing is left to the schema.
 *
 * @throws RequestError UNPROCESSABLE, which names the first such member
 */
export function requireStrictForms(body: unknown): void {
  for (const [index, event] of listOf(membersOf(body)["events"]).entries()) {
    const problem = strictFormProblem(membersOf(event));
    if (problem === undefined) continue;
    const path = `events.${index}.${problem.path}`;
    throw new RequestError("UNPROCESSABLE", `${path}: ${problem.message}`, {
      details: [{ path, message: problem.message }],
    });
  }
}

function strictFormProblem(event: Members): FieldProblem | undefined {
  for (const [path, length] of Object.entries(HEX_BYTES)) {
    const text = event[path];
    const isStrict = typeof text !== "string" || new RegExp(`^0x[0-9a-f]{${2 * length}}$`).test(text);
    if (!isStrict) return { path, message: `expected 0x and ${2 * length} lower-case hex digits` };
  }
  const encrypted = membersOf(event["payload_encrypted"]);
  return (
    paddingProblem("payload_encrypted", encrypted, BASE64URL_MEMBERS) ??
    listOf(encrypted["recipients"])
      .map((recipient, index) =>
        paddingProblem(`payload_encrypted.recipients.${index}`, membersOf(recipient), RECIPIENT_MEMBERS),
      )
      .find((problem) => problem !== undefined)
  );
}

function paddingProblem(place: string, members: Members, names: readonly string[]): FieldProblem | undefined {
  const padded = names.find((name) => typeof members[name] === "string" && members[name].endsWith("="));
  return padded === undefined
    ? undefined
    : { path: `${place}.${padded}`, message: "expected base64url without padding" };
}

function membersOf(value: unknown): Members {
  return typeof value === "object" && value !== null ? (value as Members) : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
