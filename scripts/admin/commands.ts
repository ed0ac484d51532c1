import type { Command } from "./command.ts";
import { contract } from "./contract.ts";
import { fsck } from "./fsck.ts";
import { installSchemas } from "./install-schemas.ts";
import { migrate } from "./migrate.ts";
import { reanchor } from "./reanchor.ts";
import { restore } from "./restore.ts";

/** The commands of `npm run admin`, by the name that they are called by. */
export const commands: Readonly<Record<string, Command>> = {
  migrate,
  fsck,
  restore,
  reanchor,
  contract,
  "install-schemas": installSchemas,
};
