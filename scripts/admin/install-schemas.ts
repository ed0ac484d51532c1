import { canonicalJson, type JsonValue } from "../../src/ves/index.ts";
import { type CatalogueEntry, readCatalogue } from "../lib/catalogue.ts";
import { ApiError, call, type Server } from "../lib/client.ts";
import { nearest } from "../lib/nearest.ts";
import { type Progress, silentProgress, textProgress } from "../lib/progress.ts";
import { counted } from "../lib/text.ts";
import { parseOptions, UsageError } from "../lib/usage.ts";
import type { Command } from "./command.ts";
import { requireServer, requireUuid, SERVER_OPTIONS } from "./server-options.ts";

const HELP = `Usage: npm run admin -- install-schemas --tenant ID [options]

Registers the schemas of schemas/ for a tenant's event types. What is registered already is left as it is, so it may be
run again. A schema that is not compatible with the tenant's own is left out, and told.

  --url URL          the sequencer; SEQUENCER_URL
  --api-key KEY      a key that may write for the tenant; SEQUENCER_API_KEY, or
  --key-file FILE    the file that holds it
  --tenant ID        the tenant
  --event-type TYPE  only this one; may be given several times
  --dry-run          say what would be registered, and change nothing
  --json             answers {"schemas": [{"event_type", "version", "outcome"}]}
  --help             print this

Exit code 0: all are there, 1: some are not, and the message says why, 2: wrong usage.
`;

interface Options {
  readonly server: Server;
  readonly tenantId: string;
  readonly entries: readonly CatalogueEntry[];
  readonly isDryRun: boolean;
  readonly json: boolean;
}

/** What became of one schema. A version is null where there is none. */
export interface Installed {
  readonly eventType: string;
  readonly version: number | null;
  readonly outcome: "registered" | "present" | "would be registered" | "refused";
  /** Why it was refused. */
  readonly problem?: string;
}

export const installSchemas: Command = { summary: "registers the schemas of commerce events for a tenant", run };

async function run(args: readonly string[]): Promise<number> {
  const options = readOptions(args, process.env);
  if (options === null) {
    process.stdout.write(HELP);
    return 0;
  }
  const progress = options.json ? silentProgress : textProgress(process.stderr);
  try {
    const installed = await installAll(options.server, options, progress);
    progress.clear();
    process.stdout.write(options.json ? json(installed) : text(installed));
    return installed.some(({ outcome }) => outcome === "refused") ? 1 : 0;
  } finally {
    progress.clear();
  }
}

function readOptions(args: readonly string[], env: NodeJS.ProcessEnv): Options | null {
  const values = parseOptions(args, {
    ...SERVER_OPTIONS,
    tenant: { type: "string" },
    "event-type": { type: "string", multiple: true },
    "dry-run": { type: "boolean" },
    json: { type: "boolean" },
    help: { type: "boolean", short: "h" },
  });
  if (values.help === true) return null;
  return {
    server: requireServer(values, env),
    tenantId: requireUuid("--tenant", values.tenant),
    entries: chosen(values["event-type"]),
    isDryRun: values["dry-run"] ?? false,
    json: values.json ?? false,
  };
}

function chosen(eventTypes: readonly string[] | undefined): readonly CatalogueEntry[] {
  const catalogue = readCatalogue();
  const names = catalogue.map(({ eventType }) => eventType);
  const unknown = eventTypes?.find((eventType) => !names.includes(eventType));
  if (unknown === undefined) return catalogue.filter(({ eventType }) => eventTypes?.includes(eventType) ?? true);
  const suggestion = nearest(unknown, names);
  const hint = suggestion === undefined ? "" : ` Did you mean ${suggestion}?`;
  throw new UsageError(`There is no schema for ${unknown}.${hint}`);
}

/** Registers the schemas one after the other. @throws ApiError for what concerns all of them */
export async function installAll(
  server: Server,
  {
    tenantId,
    entries,
    isDryRun,
  }: { readonly tenantId: string; readonly entries: readonly CatalogueEntry[]; readonly isDryRun: boolean },
  progress: Progress,
): Promise<Installed[]> {
  const before = await latestVersions(server, tenantId);
  const installed: Installed[] = [];
  progress.startEvents("Install", entries.length);
  for (const entry of entries) {
    const known = before.get(entry.eventType);
    installed.push(await installOne(server, tenantId, entry, { known, isDryRun }));
    progress.advance(1);
  }
  return installed;
}

interface Latest {
  readonly version: number;
  readonly schemaText: string;
}

async function installOne(
  server: Server,
  tenantId: string,
  { eventType, schema }: CatalogueEntry,
  { known, isDryRun }: { readonly known: Latest | undefined; readonly isDryRun: boolean },
): Promise<Installed> {
  if (known?.schemaText === canonicalJson(schema)) return { eventType, version: known.version, outcome: "present" };
  if (isDryRun) return { eventType, version: null, outcome: "would be registered" };
  try {
    const body = { tenantId, eventType, schemaJson: schema };
    const { version } = await call<{ version: number }>(server, "POST", "/api/v1/schemas", body);
    return { eventType, version, outcome: "registered" };
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 409) throw error;
    return { eventType, version: null, outcome: "refused", problem: error.detail };
  }
}

/** The latest active schema of each event type. */
async function latestVersions(server: Server, tenantId: string): Promise<Map<string, Latest>> {
  const path = `/api/v1/schemas?tenant_id=${tenantId}`;
  const { schemas } = await call<{ schemas: readonly ListedSchema[] }>(server, "GET", path);
  const active = schemas.filter(({ status }) => status === "active");
  // They are listed newest first: of each type the first stands.
  return new Map(
    active
      .toReversed()
      .map(({ eventType, version, schemaJson }) => [eventType, { version, schemaText: canonicalJson(schemaJson) }]),
  );
}

interface ListedSchema {
  readonly eventType: string;
  readonly version: number;
  readonly status: string;
  readonly schemaJson: JsonValue;
}

function json(installed: readonly Installed[]): string {
  const schemas = installed.map(({ eventType, ...rest }) => ({ event_type: eventType, ...rest }));
  return `${JSON.stringify({ schemas }, null, 2)}\n`;
}

function text(installed: readonly Installed[]): string {
  const lines = installed.map(({ eventType, version, outcome, problem }) => {
    const numbered = version === null ? "" : ` as version ${version}`;
    return `  ${eventType}: ${outcome}${numbered}${problem === undefined ? "" : `: ${problem}`}\n`;
  });
  const number = (wanted: Installed["outcome"]): number => installed.filter(({ outcome }) => outcome === wanted).length;
  const planned = number("would be registered");
  const done =
    planned > 0
      ? `${counted(planned, "schema")} would be registered`
      : `${counted(number("registered"), "schema")} registered`;
  return `${lines.join("")}${done}, ${number("present")} there already, ${number("refused")} refused.\n`;
}
