import type { Command } from "./command.ts";
import { fsck } from "./fsck.ts";
import { migrate } from "./migrate.ts";
import { restore } from "./restore.ts";

/** The commands of `npm run admin`, by the name that they are called by. */
export const commands: Readonly<Record<string, Command>> = { migrate, fsck, restore };
