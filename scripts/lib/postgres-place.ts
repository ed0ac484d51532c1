import { createHash } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { copyBinaries, type PostgresBinaries } from "./postgres-binaries.ts";

/*
 * Postgres refuses to run as root. Where we are root it runs as another user, who has to reach its programs and its data,
 * and who cannot where the project is below a private directory such as /root.
 */

/** The user and group that Postgres runs as. */
export interface PostgresUser {
  readonly uid: number;
  readonly gid: number;
}

/** Where Postgres runs, and as whom. */
export interface PostgresPlace {
  /** Absolute, without links. It need not exist yet; its parent does. */
  readonly directory: string;
  readonly binaries: PostgresBinaries;
  /** Undefined: as the user of this process. */
  readonly user?: PostgresUser;
}

/** "nobody" on every usual system. */
const NOBODY: PostgresUser = { uid: 65_534, gid: 65_534 };
/** Holds data and programs of projects that nobody but root can reach. */
const ELSEWHERE = "/var/lib/stateset-sequencer";

export function choosePlace(directory: string, binaries: PostgresBinaries): PostgresPlace {
  mkdirSync(dirname(directory), { recursive: true });
  const isRoot = process.getuid?.() === 0;
  if (!isRoot) return { directory: existsSync(directory) ? realpathSync(directory) : directory, binaries };

  const user = ownerOf(join(directory, "cluster")) ?? NOBODY;
  const reachable = canReach(binaries.postgres, user) ? binaries : copyBinaries(binaries, elsewhere(binaries.postgres));
  return { directory: reachableDirectory(directory, user), binaries: reachable, user };
}

/** The directory itself; or, where the user cannot reach it, one elsewhere that it becomes a link to. */
function reachableDirectory(directory: string, user: PostgresUser): string {
  if (lstatSync(directory, { throwIfNoEntry: false })?.isSymbolicLink() && existsSync(directory)) {
    return realpathSync(directory);
  }
  if (canReach(dirname(directory), user)) return directory;
  const other = elsewhere(directory);
  rmSync(other, { recursive: true, force: true });
  mkdirSync(other);
  rmSync(directory, { recursive: true, force: true });
  symlinkSync(other, directory);
  return other;
}

/** A place that stands in for a path, until there is nothing at that path any more, as after `rm -rf .data`. */
function elsewhere(path: string): string {
  mkdirSync(ELSEWHERE, { recursive: true });
  for (const name of readdirSync(ELSEWHERE)) {
    const origin = join(ELSEWHERE, name, "origin");
    if (existsSync(origin) && !existsSync(readFileSync(origin, "utf8"))) rmSync(dirname(origin), { recursive: true });
  }
  const place = join(ELSEWHERE, createHash("sha256").update(path).digest("hex").slice(0, 16));
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, "origin"), path);
  return join(place, "content");
}

/** Who owns the data: an earlier start may have been another user's. */
function ownerOf(path: string): PostgresUser | undefined {
  const owner = statSync(path, { throwIfNoEntry: false });
  return owner === undefined || owner.uid === 0 ? undefined : { uid: owner.uid, gid: owner.gid };
}

/** Whether the mode bits of every directory above let the user through. */
function canReach(path: string, { uid, gid }: PostgresUser): boolean {
  for (let directory = realpathSync(path); ; directory = dirname(directory)) {
    const { mode, ...owner } = statSync(directory);
    const bit = owner.uid === uid ? 0o100 : owner.gid === gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) return false;
    if (directory === dirname(directory)) return true;
  }
}
