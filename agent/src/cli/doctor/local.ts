import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { counted } from "../../../../scripts/lib/text.ts";
import { auditStore } from "../../audit.ts";
import { keysOfHex } from "../../trust.ts";
import { toldError } from "../command-error.ts";
import type { Config } from "../config.ts";
import { encryptionKeyPaths } from "../encryption-key-files.ts";
import { type AgentFiles, permissionProblem } from "../files.ts";
import { keyPath, localKeyIds, readKey } from "../key-files.ts";
import { believedKeys, type Session } from "../session.ts";
import { fail, type Finding, ok, warn } from "./check.ts";

/*
 * What is looked at without asking anybody.
 */

export function checkPermissions(files: AgentFiles): Finding {
  const keys = localKeyIds(files).map((keyId) => keyPath(files, keyId));
  const paths = [
    files.directory,
    files.config,
    files.apiKey,
    files.outbox,
    files.keys,
    ...keys,
    ...encryptionKeyPaths(files),
  ];
  const problems = paths.flatMap((path) => permissionProblem(path) ?? []);
  return problems.length === 0 ? ok("nobody else may use the agent's files") : fail(problems.join(" "));
}

export function checkKey(files: AgentFiles, { keyId }: Config): Finding {
  if (keyId === null) return warn("there is none: run stateset-sync keys generate");
  try {
    return ok(`key ${keyId} is on disk, with the public key ${readKey(files, keyId).publicKey}`);
  } catch (error) {
    return fail(toldError(error).message);
  }
}

/** Whether SQLite finds the file sound. */
export function checkFile({ outbox }: AgentFiles): Finding {
  if (!existsSync(outbox)) return fail(`${outbox} is not there: restore it`);
  try {
    const db = new DatabaseSync(outbox);
    try {
      const rows = db.prepare("PRAGMA integrity_check(1)").all() as { readonly integrity_check: string }[];
      const said = rows[0]?.integrity_check;
      return said === "ok" ? ok("SQLite finds the file sound") : fail(`${outbox} is damaged (${said}): restore it`);
    } finally {
      db.close();
    }
  } catch (error) {
    return fail(`${outbox} cannot be read (${(error as Error).message}): restore it`);
  }
}

/** Whether the copy of the log follows from its events. */
export async function checkLog(session: Session, signal: AbortSignal): Promise<Finding> {
  const sequencerKeys = keysOfHex(believedKeys(session));
  const { events, batches, receipts, problems } = await auditStore(session.store, session.config, {
    sequencerKeys,
    signal,
  });
  const [problem] = problems;
  if (problem !== undefined) {
    return fail(`${problem}; ${counted(problems.length, "problem")}: stateset-sync verify lists them`);
  }
  return ok(
    `${counted(events, "event")}, ${counted(batches, "sealed batch")} and ${counted(receipts, "receipt")} hold`,
  );
}
