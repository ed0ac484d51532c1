#!/usr/bin/env node
/*
 * `stateset-sequencer-admin ...` is `npm run admin -- ...` from any directory.
 */
process.argv.splice(2, 0, "scripts/admin.ts");
await import("./run.mjs");
