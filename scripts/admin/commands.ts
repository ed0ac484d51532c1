import { audit } from "./audit.ts";
import { backfillStateRoots } from "./backfill-state-roots.ts";
import type { Command } from "./command.ts";
import { commitAndAnchor } from "./commit-and-anchor.ts";
import { contract } from "./contract.ts";
import { createKey } from "./create-key.ts";
import { exportEvents } from "./export-events.ts";
import { fsck } from "./fsck.ts";
import { installSchemas } from "./install-schemas.ts";
import { keysInUse } from "./keys-in-use.ts";
import { listAgentKeys } from "./list-agent-keys.ts";
import { listAgents } from "./list-agents.ts";
import { listKeys } from "./list-keys.ts";
import { migrate } from "./migrate.ts";
import { reanchor } from "./reanchor.ts";
import { reencrypt } from "./reencrypt.ts";
import { registerAgentKey } from "./register-agent-key.ts";
import { restore } from "./restore.ts";
import { revokeAgentKey } from "./revoke-agent-key.ts";
import { revokeKey } from "./revoke-key.ts";
import { verifyProof } from "./verify-proof.ts";
import { version } from "./version.ts";

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
  "create-key": createKey,
  "list-keys": listKeys,
  "revoke-key": revokeKey,
  "list-agents": listAgents,
  "list-agent-keys": listAgentKeys,
  "register-agent-key": registerAgentKey,
  "revoke-agent-key": revokeAgentKey,
  "export-events": exportEvents,
  "verify-proof": verifyProof,
  "backfill-state-roots": backfillStateRoots,
  "commit-and-anchor": commitAndAnchor,
  version,
};
