import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { CommandError } from "./command-error.ts";
import { EXIT } from "./exit-codes.ts";

/** Where an agent's files are. */
export interface AgentFiles {
  /** Only its owner may look into it. */
  readonly directory: string;
  readonly config: string;
  /** The credential for the sequencer. */
  readonly apiKey: string;
  /** Directory of the signing keys. */
  readonly keys: string;
  /** Directory of the keys that others encrypt to. */
  readonly encryptionKeys: string;
  /** The SQLite database: outbox and copy of the log. */
  readonly outbox: string;
}

export function agentFiles(given: string | undefined, env: NodeJS.ProcessEnv): AgentFiles {
  const directory = resolve(given ?? (env["STATESET_DIR"] || ".stateset"));
  return {
    directory,
    config: join(directory, "config.json"),
    apiKey: join(directory, "api-key"),
    keys: join(directory, "keys"),
    encryptionKeys: join(directory, "encryption-keys"),
    outbox: join(directory, "outbox.db"),
  };
}

const OWNER_ONLY_DIRECTORY = 0o700;
const OWNER_ONLY_FILE = 0o600;
const OTHERS = 0o077;

/** Windows keeps who may read a file in another way, which Node does not tell. */
const HAS_MODES = process.platform !== "win32";

export function makePrivateDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: OWNER_ONLY_DIRECTORY });
}

/** What is wrong with who may use a file or directory, in a sentence that says what to do; `undefined` also when it is not there. */
export function permissionProblem(path: string): string | undefined {
  const stats = HAS_MODES ? statSync(path, { throwIfNoEntry: false }) : undefined;
  if (stats === undefined || (stats.mode & OTHERS) === 0) return undefined;
  const [mode, wanted] = [stats.mode & 0o777, stats.isDirectory() ? OWNER_ONLY_DIRECTORY : OWNER_ONLY_FILE];
  return `${path} is open to others (mode ${mode.toString(8)}): run chmod ${wanted.toString(8)} ${path}.`;
}

/** @throws CommandError UNSAFE_PERMISSIONS when others than the owner may use it */
export function requirePrivate(path: string): void {
  const problem = permissionProblem(path);
  if (problem !== undefined) throw new CommandError("UNSAFE_PERMISSIONS", problem, EXIT.unsound);
}

/** Writes a file that only its owner may read. When this returns it is on disk; a crash leaves the old one or the new one. */
export function writePrivateFile(path: string, text: string): void {
  writeWhole(path, text, OWNER_ONLY_FILE, renameSync);
}

/** The same for a file that must not be there yet. @throws CommandError FILE_EXISTS */
export function createPrivateFile(path: string, text: string): void {
  try {
    writeWhole(path, text, OWNER_ONLY_FILE, linkSync);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    throw new CommandError("FILE_EXISTS", `${path} is there already, and is not written over.`, EXIT.unsound, error);
  }
}

/** The same for a file that is meant to be handed on. */
export function writeFile(path: string, text: string): void {
  writeWhole(path, text, 0o644, renameSync);
}

/** @param place gives the finished file its name */
function writeWhole(path: string, text: string, mode: number, place: (from: string, to: string) => void): void {
  const directory = dirname(path);
  const draft = join(directory, `.${process.pid}.${Date.now()}.tmp`);
  try {
    const file = openSync(draft, "wx", mode);
    try {
      writeFileSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    place(draft, path);
  } finally {
    rmSync(draft, { force: true });
  }
  if (HAS_MODES) syncDirectory(directory);
}

/** A new name is on disk only when its directory is. */
function syncDirectory(path: string): void {
  const directory = openSync(path, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
