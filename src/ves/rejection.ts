/**
 * Why one event of a request is refused while the others go on. These texts are part of the protocol and clients
 * compare them (VES 6.3).
 *
 * - `duplicate_event_id`: the id stands for another event already
 * - `duplicate_command_id`: the command has had its effect already
 * - `unsupported_version`: neither 1 nor 2, or 1 where 2 is demanded
 * - `schema_validation: <member>`: a member breaks a rule of the envelope; without a member, the payload is not as the
 *   schema registered for its type has it, or there must be one and is none
 * - `invalid_payload_hash`, `invalid_cipher_hash`: the content is not what was signed
 * - `agent_key_invalid: <why>`: the key cannot be used at the server's time
 * - `invalid_signature`: the signature does not verify, or its scheme is not served
 * - `policy_violation: <rule>`: the agent's policy forbids the event
 * - `version_conflict: expected E, actual A`: the entity has moved on
 */
export type RejectionReason =
  | "duplicate_event_id"
  | "duplicate_command_id"
  | "unsupported_version"
  | "schema_validation"
  | `schema_validation: ${string}`
  | "invalid_payload_hash"
  | "invalid_cipher_hash"
  | `agent_key_invalid: ${string}`
  | "invalid_signature"
  | `policy_violation: ${string}`
  | `version_conflict: expected ${number}, actual ${number}`;

/** A refusal: `reason` for programs, `message` for people. */
export interface Problem {
  readonly reason: RejectionReason;
  readonly message: string;
}

/** A broken rule of one envelope member, named by its path. */
export function memberProblem(member: string, message: string): Problem {
  return { reason: `schema_validation: ${member}`, message: `${member}: ${message}` };
}
