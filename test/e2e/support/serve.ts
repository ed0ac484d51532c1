import { readFileSync } from "node:fs";
import { startWorker, type Variables } from "../../../scripts/lib/local-server.ts";

/*
 * A server to be killed: `node serve.ts BUNDLE DATA VARIABLES`. BUNDLE names the bundled Worker's file, DATA the
 * directory of its objects, VARIABLES are its secrets as JSON. Prints its URL as one line once it serves. Ends when its
 * input does, so that it never outlives a test that was itself killed.
 */
const [bundle, dataDirectory, variables] = process.argv.slice(2);
if (bundle === undefined || dataDirectory === undefined || variables === undefined) {
  throw new Error("usage: serve.ts BUNDLE DATA VARIABLES");
}
const server = await startWorker({
  bundle: readFileSync(bundle, "utf8"),
  variables: JSON.parse(variables) as Variables,
  dataDirectory,
  port: 0,
});
process.stdin.resume().once("end", () => void server.stop().then(() => process.exit(0)));
process.stdout.write(`${server.url}\n`);
