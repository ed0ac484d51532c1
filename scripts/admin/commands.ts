import { audit } from "./audit.ts";
import type { Command } from "./command.ts";
import { contract } from "./contract.ts";
import { fsck } from "./fsck.ts";
import { installSchemas } from "./install-schemas.ts";
import { keysInUse } from "./keys-in-use.ts";
import { migrate } from "./migrate.ts";
import { reanchor } from "./reanchor.ts";
import { reencrypt } from "./reencrypt.ts";
import { restore } from "./restore.ts";

/** The commands of `npm run admin`, by the name that they are called by. */
export const commands: Readonly<Record<string, Command>> = {
  migrate,
  fsck,
  restore,
  reencrypt,
  "keys-in-use": keysInUse,
  audit,
  reanchor,
  contract,
  "install-schemas": installSchemas,
};
