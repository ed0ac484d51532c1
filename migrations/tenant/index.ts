import type { Migration } from "../migration.ts";
import { registry } from "./0001_registry.ts";
import { mirror } from "./0002_mirror.ts";
import { rateLimits } from "./0003_rate_limits.ts";
import { schemas } from "./0004_schemas.ts";
import { encryptionKeys } from "./0006_encryption_keys.ts";

/** Schema of a TenantRegistry object, in order of application. */
export const tenantMigrations: readonly Migration[] = [registry, mirror, rateLimits, schemas, encryptionKeys];
