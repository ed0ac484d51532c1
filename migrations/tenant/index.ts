import type { Migration } from "../migration.ts";
import { registry } from "./0001_registry.ts";
import { mirror } from "./0002_mirror.ts";
import { rateLimits } from "./0003_rate_limits.ts";
import { schemas } from "./0004_schemas.ts";
import { audit } from "./0005_audit.ts";
import { apiKeyMirror } from "./0006_api_key_mirror.ts";
import { sharedRateLimits } from "./0007_shared_rate_limits.ts";

/** Schema of a TenantRegistry object, in order of application. */
export const tenantMigrations: readonly Migration[] = [
  registry,
  mirror,
  rateLimits,
  schemas,
  audit,
  apiKeyMirror,
  sharedRateLimits,
];
