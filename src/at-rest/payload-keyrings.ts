import { ConfigError } from "../errors.ts";
import { type PayloadKey, payloadKey } from "./payload-key.ts";
import type { PayloadSettings } from "./payload-variables.ts";

/** The keys of one tenant's payloads. */
export interface PayloadKeyring {
  /** What new payloads are encrypted under; null: they are stored as text. */
  readonly current: PayloadKey | null;
  /** All that may be read with, by id. */
  readonly keys: ReadonlyMap<string, PayloadKey>;
  /** Whether payloads that are stored as text are read. */
  readonly readsText: boolean;
}

/** The keyring of a tenant: its own where it has one, else the default one. */
export type PayloadKeyrings = (tenantId: string) => PayloadKeyring;

/**
 * The keyrings of a deployment. A tenant with keys of its own still reads what was encrypted under a default one before.
 *
 * @throws ConfigError when payloads are to be encrypted and there is no key
 */
export function payloadKeyrings(settings: PayloadSettings): PayloadKeyrings {
  const { PAYLOAD_ENCRYPTION_MODE: mode, PAYLOAD_ENCRYPTION_KEY: single } = settings;
  const seeds = settings.PAYLOAD_ENCRYPTION_KEYS ?? (single === undefined ? [] : [single]);
  if (mode !== "disabled" && seeds.length === 0) {
    throw new ConfigError(
      "wrong configuration: PAYLOAD_ENCRYPTION_KEY: there is none, and payloads are to be encrypted at rest " +
        `(PAYLOAD_ENCRYPTION_MODE is ${mode}): set it to 32 random bytes in hex, as openssl rand -hex 32 makes them`,
    );
  }
  const defaults = seeds.map(payloadKey);
  const ringOf = (own: readonly PayloadKey[]): PayloadKeyring => {
    const all = [...own, ...defaults];
    return {
      current: mode === "disabled" ? null : (all[0] ?? null),
      keys: new Map(all.map((key) => [key.id, key])),
      readsText: mode !== "required",
    };
  };
  const byTenant = new Map(
    Object.entries(settings.PAYLOAD_ENCRYPTION_KEYS_BY_TENANT).map(([tenantId, own]) => [
      tenantId,
      ringOf(own.map(payloadKey)),
    ]),
  );
  const rest = ringOf([]);
  return (tenantId) => byTenant.get(tenantId) ?? rest;
}
