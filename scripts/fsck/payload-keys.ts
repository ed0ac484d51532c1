import { z } from "zod";
import { payloadKeyrings, type PayloadKeyrings } from "../../src/at-rest/payload-keyrings.ts";
import { payloadVariables } from "../../src/at-rest/payload-variables.ts";
import { UsageError } from "../lib/usage.ts";

const NAMES = ["PAYLOAD_ENCRYPTION_KEY", "PAYLOAD_ENCRYPTION_KEYS", "PAYLOAD_ENCRYPTION_KEYS_BY_TENANT"] as const;

/**
 * The keys to read payloads with: those given, or else those of the environment, under the names that the Worker has for
 * them. Null when there are none.
 *
 * @param given keys with commas between them
 * @throws UsageError, without repeating a key
 */
export function readPayloadKeys(
  given: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): PayloadKeyrings | null {
  const values = Object.fromEntries(NAMES.flatMap((name) => (env[name] ? [[name, env[name]]] : [])));
  if (given !== undefined) values["PAYLOAD_ENCRYPTION_KEYS"] = given;
  if (Object.keys(values).length === 0) return null;
  // Reads whatever there is and encrypts nothing, so that keys of tenants alone will do.
  const parsed = z.object(payloadVariables).safeParse({ ...values, PAYLOAD_ENCRYPTION_MODE: "disabled" });
  if (parsed.success) return payloadKeyrings(parsed.data);
  const [issue] = parsed.error.issues;
  const isOption = given !== undefined && issue?.path[0] === "PAYLOAD_ENCRYPTION_KEYS";
  const name = isOption ? "--encryption-key" : (issue?.path.join(".") ?? "");
  throw new UsageError(`${name}: ${issue?.message ?? ""}.`);
}
