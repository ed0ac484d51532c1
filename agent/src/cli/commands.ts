import type { Command } from "./command.ts";
import { conflicts } from "./commands/conflicts.ts";
import { doctor } from "./commands/doctor.ts";
import { history } from "./commands/history.ts";
import { init } from "./commands/init.ts";
import { keysExport } from "./commands/keys-export.ts";
import { keysGenerate } from "./commands/keys-generate.ts";
import { keysList } from "./commands/keys-list.ts";
import { keysRegister } from "./commands/keys-register.ts";
import { keysRevoke } from "./commands/keys-revoke.ts";
import { keysRotate } from "./commands/keys-rotate.ts";
import { keysTrust } from "./commands/keys-trust.ts";
import { proof } from "./commands/proof.ts";
import { prune } from "./commands/prune.ts";
import { pull } from "./commands/pull.ts";
import { push } from "./commands/push.ts";
import { record } from "./commands/record.ts";
import { resolve } from "./commands/resolve.ts";
import { status } from "./commands/status.ts";
import { verify } from "./commands/verify.ts";
import { watch } from "./commands/watch.ts";

/** The commands of `stateset-sync`, by the name that they are called by, in the order in which a newcomer needs them. */
export const commands: Readonly<Record<string, Command>> = {
  init,
  "keys generate": keysGenerate,
  "keys register": keysRegister,
  "keys list": keysList,
  "keys rotate": keysRotate,
  "keys revoke": keysRevoke,
  "keys export": keysExport,
  "keys trust": keysTrust,
  record,
  push,
  pull,
  status,
  history,
  proof,
  verify,
  conflicts,
  resolve,
  prune,
  watch,
  doctor,
};
