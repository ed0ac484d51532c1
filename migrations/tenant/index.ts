import type { Migration } from "../migration.ts";
import { registry } from "./0001_registry.ts";
import { mirror } from "./0002_mirror.ts";
import { schemas } from "./0003_schemas.ts";

/** Schema of a TenantRegistry object, in order of application. */
export const tenantMigrations: readonly Migration[] = [registry, mirror, schemas];
