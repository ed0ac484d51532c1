import { ConfigError } from "../errors.ts";
import type { Settings } from "../settings.ts";

/** Labels of deployments in which nothing is at stake. Every other one is production. */
const NOT_PRODUCTION = new Set(["", "local", "dev", "development", "test", "testing", "ci", "staging"]);

/** Characters below which a secret can be guessed. */
const MIN_SECRET_LENGTH = 32;

type AccessSettings = Pick<
  Settings,
  | "SEQUENCER_ENV"
  | "ENVIRONMENT"
  | "AUTH_MODE"
  | "ALLOW_AUTH_DISABLED"
  | "BOOTSTRAP_ADMIN_API_KEY"
  | "JWT_SECRET"
  | "JWT_JWKS_JSON"
  | "JWT_JWKS_URL"
  | "TRUST_PROXY_HEADERS"
  | "TRUST_PROXY_ALLOWLIST"
>;

/**
 * Refuses settings that are well-formed one by one, and together leave a door open or leave in doubt which of them counts.
 *
 * @throws ConfigError
 */
export function checkAccessSettings(values: AccessSettings): void {
  const label = (values.SEQUENCER_ENV ?? values.ENVIRONMENT ?? "").trim().toLowerCase();
  const isProduction = !NOT_PRODUCTION.has(label);
  if (values.AUTH_MODE === "disabled") {
    if (!values.ALLOW_AUTH_DISABLED) throw wrong("AUTH_MODE=disabled needs ALLOW_AUTH_DISABLED=true beside it");
    if (isProduction) throw wrong(`AUTH_MODE=disabled is not for production, which the label ${label} stands for`);
  }
  for (const name of ["BOOTSTRAP_ADMIN_API_KEY", "JWT_SECRET"] as const) {
    const secret = values[name];
    if (isProduction && secret !== undefined && secret.length < MIN_SECRET_LENGTH) {
      throw wrong(`${name} must have ${MIN_SECRET_LENGTH} characters or more in production`);
    }
  }
  if (values.JWT_JWKS_JSON !== undefined && values.JWT_JWKS_URL !== undefined) {
    throw wrong("JWT_JWKS_JSON and JWT_JWKS_URL are two answers to one question: set one of them");
  }
  if (values.TRUST_PROXY_HEADERS && values.TRUST_PROXY_ALLOWLIST === undefined) {
    throw wrong("TRUST_PROXY_HEADERS=true needs TRUST_PROXY_ALLOWLIST, the addresses of the proxies");
  }
}

function wrong(sentence: string): ConfigError {
  return new ConfigError(`wrong configuration: ${sentence}`);
}
