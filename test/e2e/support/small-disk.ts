import { spawnSync } from "node:child_process";
import { chownSync, closeSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { OwnDatabase } from "../../support/own-database.ts";
import { tempDir } from "./processes.ts";

/** A filesystem of a few megabytes, which can be filled up and given room again. */
export interface SmallDisk {
  readonly path: string;
  readonly fill: () => void;
  readonly free: () => void;
  readonly unmount: () => void;
}

const SIZE = "16m";

/** Null where this process may not mount one. */
export function mountSmallDisk(): SmallDisk | null {
  const path = tempDir();
  if (spawnSync("mount", ["-t", "tmpfs", "-o", `size=${SIZE}`, "tmpfs", path]).status !== 0) return null;
  const filler = join(path, "filler");
  return {
    path,
    fill: () => fill(filler),
    free: () => rmSync(filler),
    unmount: () => {
      const { status, stderr } = spawnSync("umount", [path], { encoding: "utf8" });
      if (status !== 0) throw new Error(`${path} could not be unmounted: ${stderr}`);
    },
  };
}

/** Moves the events of a mirror to this disk. */
export async function moveEventsTo(disk: SmallDisk, { query }: OwnDatabase): Promise<void> {
  const [settings] = await query("SHOW data_directory");
  // As root, Postgres runs as another user, to whom the place must belong.
  const { uid, gid } = statSync(String(settings?.["data_directory"]));
  chownSync(disk.path, uid, gid);
  await query(`CREATE TABLESPACE small_disk LOCATION '${disk.path}'`);
  await query("ALTER TABLE ves_events SET TABLESPACE small_disk");
}

/** Moves them back, so that the disk can be unmounted. */
export async function moveEventsBack({ query }: OwnDatabase): Promise<void> {
  await query("ALTER TABLE ves_events SET TABLESPACE pg_default");
  await query("DROP TABLESPACE small_disk");
}

function fill(path: string): void {
  const file = openSync(path, "w");
  try {
    for (let size = 64 * 1024; size >= 1;) {
      try {
        writeSync(file, Buffer.alloc(size, 1));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
        size = Math.floor(size / 2);
      }
    }
  } finally {
    closeSync(file);
  }
}
