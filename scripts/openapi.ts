import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { endpoints } from "../src/http/app.ts";
import { openApiDocument } from "../src/http/openapi.ts";

/*
 * `npm run openapi` writes docs/openapi.json; with --check it fails when the file is not what the code says.
 */

const PATH = join(import.meta.dirname, "..", "docs", "openapi.json");
const text = `${JSON.stringify(openApiDocument(endpoints), null, 2)}\n`;

if (!process.argv.includes("--check")) {
  writeFileSync(PATH, text);
} else if (readFileSync(PATH, "utf8") !== text) {
  process.stderr.write("docs/openapi.json is out of date: run npm run openapi and commit it.\n");
  process.exit(1);
}
