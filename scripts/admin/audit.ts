import { closeSync, openSync, writeFileSync, writeSync } from "node:fs";
import type { AuditEntry } from "../../src/audit/entry.ts";
import type { SignedAuditHead } from "../../src/audit/signed-head.ts";
import { AuditFollower, type AuditVerdict } from "../audit/audit-log.ts";
import { readFromFile, readFromServer, readHead, signatureProblem } from "../audit/source.ts";
import { SourceError } from "../fsck/log-source.ts";
import type { Server } from "../lib/client.ts";
import { counted } from "../lib/text.ts";
import { parseOptions, UsageError } from "../lib/usage.ts";
import type { Command } from "./command.ts";
import { readServer, requireUuid, SERVER_OPTIONS, wholeNumber } from "./server-options.ts";

const HELP = `Usage: npm run admin -- audit --tenant ID [options]

Reads a tenant's audit log, verifies the chain of its entries and the sequencer's signature of its end, and shows the last
of them.

  --url URL         the sequencer; SEQUENCER_URL
  --api-key KEY     a key of an administrator of the tenant; SEQUENCER_API_KEY, or
  --key-file FILE   the file that holds it
  --tenant ID       the tenant
  --head FILE       a head that was saved before: the log must go on from it
  --save-head FILE  save the present one there, if everything is sound
  --export FILE     write all entries there, one JSON document on each line
  --file FILE       verify such a file, instead of asking the sequencer
  --last N          show the last N entries, 20 when not given
  --json            print one JSON document and nothing else
  --help            print this

Exit code 0: the log is sound, and goes on from the head that was given, 1: it is not, 2: it could not be found out.
`;

const DEFAULT_LAST = 20;

interface Options {
  /** Null: the log is in `file`. */
  readonly server: Server | null;
  readonly file: string | null;
  readonly tenantId: string;
  readonly seen: SignedAuditHead | null;
  readonly saveHead: string | undefined;
  readonly exportTo: string | undefined;
  readonly last: number;
  readonly json: boolean;
}

interface Found extends AuditVerdict {
  readonly last: readonly AuditEntry[];
  /** As the sequencer states it; null for a file, which has none. */
  readonly signed: SignedAuditHead | null;
}

export const audit: Command = {
  summary: "shows a tenant's audit log, and verifies that nothing of it was altered",
  run,
};

/** @returns 0 sound, 1 not, 2 wrong usage or out of reach */
async function run(args: readonly string[]): Promise<number> {
  try {
    const options = readOptions(args, process.env);
    if (options === null) {
      process.stdout.write(HELP);
      return 0;
    }
    const found = await readLog(options);
    if (options.saveHead !== undefined && found.signed !== null && found.problem === null) {
      writeFileSync(options.saveHead, `${JSON.stringify(found.signed, null, 2)}\n`);
    }
    process.stdout.write(options.json ? json(found) : text(found, options));
    return found.problem === null ? 0 : 1;
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 2;
  }
}

function readOptions(args: readonly string[], env: NodeJS.ProcessEnv): Options | null {
  const values = parseOptions(args, {
    ...SERVER_OPTIONS,
    tenant: { type: "string" },
    head: { type: "string" },
    "save-head": { type: "string" },
    export: { type: "string" },
    file: { type: "string" },
    last: { type: "string" },
    json: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  });
  if (values.help === true) return null;
  const file = values.file ?? null;
  if (file !== null && values["save-head"] !== undefined) {
    throw new UsageError("Only the sequencer signs a head: --save-head does not go with --file.");
  }
  const server = file === null ? readServer(values, env) : null;
  if (server === null && file === null) throw new UsageError("Give --url, or --file.");
  const tenantId = requireUuid("--tenant", values.tenant);
  return {
    server,
    file,
    tenantId,
    seen: values.head === undefined ? null : seenHead(values.head, tenantId),
    saveHead: values["save-head"],
    exportTo: values.export,
    last: wholeNumber("--last", values.last, 0) ?? DEFAULT_LAST,
    json: values.json ?? false,
  };
}

function seenHead(path: string, tenantId: string): SignedAuditHead {
  const head = readHead(path);
  if (head.tenant_id === tenantId) return head;
  throw new UsageError(`${path} holds the head of another tenant, ${head.tenant_id}.`);
}

async function readLog({ server, file, tenantId, seen, exportTo, last }: Options): Promise<Found> {
  const follower = new AuditFollower(tenantId, seen ?? undefined);
  const shown: AuditEntry[] = [];
  const output = exportTo === undefined ? null : openSync(exportTo, "w");
  const take = (entries: readonly AuditEntry[]): void => {
    for (const entry of entries) follower.follow(entry);
    shown.push(...entries.slice(-last || entries.length));
    shown.splice(0, shown.length - last);
    if (output !== null) writeSync(output, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""));
  };
  try {
    if (file !== null) take(readFromFile(file));
    const signed = server === null ? null : await readFromServer(server, tenantId, take);
    const verdict = follower.end();
    const problem = verdict.problem ?? (await headProblem({ server, signed, seen, verdict }));
    return { ...verdict, problem, last: shown, signed };
  } finally {
    if (output !== null) closeSync(output);
  }
}

/** What is wrong with the heads of a log whose entries are sound. */
async function headProblem({
  server,
  signed,
  seen,
  verdict,
}: {
  readonly server: Server | null;
  readonly signed: SignedAuditHead | null;
  readonly seen: SignedAuditHead | null;
  readonly verdict: AuditVerdict;
}): Promise<string | null> {
  if (server === null || signed === null) return null;
  const { sequence, hash } = verdict.head;
  if (signed.tenant_id !== verdict.tenantId || signed.sequence !== sequence || signed.hash !== hash) {
    return `the sequencer states entry ${signed.sequence} as the last, and gives others`;
  }
  const own = await signatureProblem(server, signed, "the head");
  return own ?? (seen === null ? null : signatureProblem(server, seen, "the head that was kept"));
}

function json({ tenantId, head, problem, signed, last }: Found): string {
  const document = { tenant_id: tenantId, entries: head.sequence, problem, head: signed ?? head, last };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function text({ head, problem, signed, last }: Found, { seen }: Options): string {
  const lines = last.map(lineOf);
  if (problem !== null) {
    return `${lines.join("")}The log is not sound after entry ${head.sequence}: ${problem}.\n`;
  }
  const since = seen === null ? "" : `, and goes on from entry ${seen.sequence}, which was kept`;
  const by = signed === null ? "" : `, signed ${signed.signed_at} with key ${signed.key_version}`;
  return `${lines.join("")}${counted(head.sequence, "entry")}: the chain is sound${since}. Head ${head.hash}${by}.\n`;
}

function lineOf({ sequence, recorded_at: at, action, resource, actor, credential, address }: AuditEntry): string {
  // A token's issuer chooses what it is called: nothing of that must reach the terminal as a command.
  const name = credential?.replaceAll(/\p{Cc}/gu, "?");
  const who = [actor.kind, name, actor.agent_id && `of agent ${actor.agent_id}`, address && `from ${address}`];
  const what = `${action}  ${resource.type} ${resource.id}`;
  return `${String(sequence).padStart(6)}  ${at}  ${what}  by ${who.filter((part) => part != null).join(" ")}\n`;
}
