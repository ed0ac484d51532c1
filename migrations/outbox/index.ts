import type { Migration } from "../migration.ts";
import { outbox } from "./0001_outbox.ts";
import { numbers } from "./0002_numbers.ts";

/** Schema of an agent's own store, in order of application. */
export const outboxMigrations: readonly Migration[] = [outbox, numbers];
