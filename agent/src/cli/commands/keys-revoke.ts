import { counted } from "../../../../scripts/lib/text.ts";
import { command } from "../command.ts";
import { CommandError } from "../command-error.ts";
import { readConfig, writeConfig } from "../config.ts";
import { ENCRYPTION_HELP, ENCRYPTION_OPTION, revokeEncryption } from "../encryption-keys.ts";
import { EXIT } from "../exit-codes.ts";
import { readKeyId } from "../key-files.ts";
import { revokeKey } from "../registered-keys.ts";
import { apiOf, NETWORK_HELP, NETWORK_OPTIONS, type Session, withStore } from "../session.ts";
import { lines } from "../text.ts";

/** Ends a key. */
export const keysRevoke = command({
  name: "keys revoke",
  summary: "revoke a key: nothing that it signed is accepted from then on",
  about: `Revokes a key at the sequencer; when it returns, no event that the key signed is accepted any more.
What was accepted before stays. That takes a credential of an administrator, and cannot be taken
back. The same again changes nothing.

With --encryption, nobody encrypts to the key with the kid KEY_ID any more; what was encrypted to it
stays readable to who has it. That takes no administrator.
`,
  args: ["KEY_ID"],
  optionsHelp: `  --force               also the key in use, or one that signed events which are not sent yet:
                        they will be refused
${ENCRYPTION_HELP}${NETWORK_HELP}`,
  options: { force: { type: "boolean" }, ...ENCRYPTION_OPTION, ...NETWORK_OPTIONS },
  run: async (call, options, [id = ""]) => {
    if (options.encryption === true) return revokeEncryption(call, options, id);
    const keyId = readKeyId(id);
    const config = readConfig(call.files);
    if (options.force !== true) await withStore(call, (session) => requireUnused(session, keyId));
    const revokedAt = await revokeKey(apiOf(call, config, options), config, keyId);
    const wasUsed = config.keyId === keyId;
    if (wasUsed) writeConfig(call.files, { ...config, keyId: null });
    return {
      json: { keyId, revokedAt, wasUsed },
      text: lines(
        `Key ${keyId} is revoked since ${revokedAt}.`,
        wasUsed ? "The agent has no key any more. Next: stateset-sync keys generate" : null,
      ),
    };
  },
});

/** @throws CommandError KEY_IN_USE */
function requireUnused({ config, store }: Session, keyId: number): void {
  const refuse = (why: string): never => {
    throw new CommandError("KEY_IN_USE", `${why}, or give --force.`, EXIT.unsound);
  };
  if (config.keyId === keyId) refuse(`Key ${keyId} is in use: run stateset-sync keys rotate first`);
  const pending = store.transaction(config, (tables) => tables.outbox({ agentId: config.agentId, state: "pending" }));
  const signed = pending.filter(({ envelope }) => keyOf(envelope) === keyId).length;
  if (signed > 0) refuse(`Key ${keyId} has signed ${counted(signed, "event")} not sent yet: push first`);
}

function keyOf(envelope: string): number {
  return (JSON.parse(envelope) as { agent_key_id: number }).agent_key_id;
}
