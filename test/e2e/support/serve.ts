import { readFileSync } from "node:fs";
import { startWorker, type Variables } from "../../../scripts/lib/local-server.ts";

/*
 * A server to be killed: `node serve.ts BUNDLE DATA SETTINGS`. BUNDLE names the bundled Worker's file, DATA the directory
 * of its objects, SETTINGS are its variables and its database's address as JSON. Prints its URL as one line once it serves. Ends when its
 * input does, so that it never outlives a test that was itself killed.
 */
const [bundle, dataDirectory, settings] = process.argv.slice(2);
if (bundle === undefined || dataDirectory === undefined || settings === undefined) {
  throw new Error("usage: serve.ts BUNDLE DATA SETTINGS");
}
const server = await startWorker({
  bundle: readFileSync(bundle, "utf8"),
  ...(JSON.parse(settings) as { variables: Variables; databaseUrl?: string }),
  dataDirectory,
  port: 0,
});
process.stdin.resume().once("end", () => void server.stop().then(() => process.exit(0)));
process.stdout.write(`${server.url}\n`);
