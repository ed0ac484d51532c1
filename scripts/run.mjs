/*
 * Runs one of the project's TypeScript programs: `node scripts/run.mjs scripts/start.ts [arguments]`.
 *
 * It is the first thing that runs on a fresh clone, so it is plain JavaScript for whatever Node there is, and needs no
 * package. It installs the dependencies if they are not those of the lock file, and hands over to the Node among them.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = join(root, "node_modules", ".bin");

if (!isInstalled()) install();
hand(process.argv.slice(2));

/** Whether node_modules holds what package-lock.json asks for; packages for other platforms may be missing. */
function isInstalled() {
  const installedPath = join(root, "node_modules", ".package-lock.json");
  if (!existsSync(installedPath)) return false;
  const wanted = packagesOf(join(root, "package-lock.json"));
  const installed = packagesOf(installedPath);
  return (
    Object.entries(wanted).every(([name, { version, optional }]) => {
      const present = installed[name];
      return name === "" || (present === undefined ? optional === true : present.version === version);
    }) && Object.keys(installed).every((name) => name in wanted)
  );
}

function packagesOf(path) {
  return JSON.parse(readFileSync(path, "utf8")).packages;
}

function install() {
  process.stderr.write("Installing dependencies, which takes about half a minute the first time ...\n");
  const npm = process.env.npm_execpath;
  const [command, prefix] = npm?.endsWith("js") ? [process.execPath, [npm]] : ["npm", []];
  const result = spawnSync(command, [...prefix, "ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    // npm's own summary is of no use to who wanted to start a server; its errors are.
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (result.status !== 0) {
    process.stderr.write("The dependencies could not be installed: see above, and try `npm ci`.\n");
    process.exit(result.status ?? 1);
  }
}

function hand([program, ...args]) {
  const node = join(bin, process.platform === "win32" ? "node.cmd" : "node");
  const child = spawn(node, ["--disable-warning=ExperimentalWarning", join(root, program), ...args], {
    stdio: "inherit",
    env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ""}` },
  });
  // A terminal sends Ctrl-C to the whole group; a supervisor sends its signal to this process only.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  stopWithNpm(child);
  child.on("error", (error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => process.exit(signal === null ? (code ?? 1) : 128 + 15));
}

/**
 * npm runs this through a shell, and hands a signal on to that shell only: of SIGTERM both die without this process
 * hearing of it. It sees that its parent has changed.
 */
function stopWithNpm(child) {
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && child.kill("SIGTERM"), 200).unref();
}
