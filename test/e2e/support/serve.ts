import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { startWorker, type Variables } from "../../../scripts/lib/local-server.ts";

/*
 * A server to be killed: `node serve.ts BUNDLE DATA SETTINGS`. BUNDLE names the bundled Worker's file, DATA the directory
 * of its objects, SETTINGS are a {@link Settings} as JSON. Prints its URL, and those of its edges, as one line once it serves. For each line of its
 * input it fires the Cron Trigger of the anchoring Worker, and prints `ran` or an error when the run has ended. Ends when its
 * input does, so that it never outlives a test that was itself killed.
 */
interface Settings {
  readonly variables: Variables;
  readonly databaseUrl?: string;
  readonly edges?: number;
  readonly anchor?: { readonly bundle: string; readonly variables: Variables };
}

const [bundle, dataDirectory, text] = process.argv.slice(2);
if (bundle === undefined || dataDirectory === undefined || text === undefined) {
  throw new Error("usage: serve.ts BUNDLE DATA SETTINGS");
}
const { anchor, ...settings } = JSON.parse(text) as Settings;
const server = await startWorker({
  ...settings,
  bundle: readFileSync(bundle, "utf8"),
  ...(anchor === undefined ? {} : { anchor: { ...anchor, bundle: readFileSync(anchor.bundle, "utf8") } }),
  dataDirectory,
  port: 0,
});
const say = (line: string): void => void process.stdout.write(`${line}\n`);
createInterface({ input: process.stdin })
  .on(
    "line",
    () =>
      void server.runCron().then(
        () => say("ran"),
        (error: Error) => say(error.message),
      ),
  )
  .once("close", () => void server.stop().then(() => process.exit(0)));
say([server.url, ...server.edgeUrls].join(" "));
