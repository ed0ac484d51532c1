import { once } from "node:events";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { SourceError } from "../fsck/log-source.ts";

/** Where an export goes. Ended by one of {@link ExportSink.keep} and {@link ExportSink.discard}. */
export interface ExportSink {
  readonly write: (text: string) => Promise<void>;
  /** Everything is there and is to stay. It is on disk when this returns. */
  readonly keep: () => Promise<void>;
  /** As far as it can be taken back, nothing was written. */
  readonly discard: () => Promise<void>;
}

/** Writes beside the file, and puts that in its place when it is kept: at no time is there half of it. */
export function fileSink(path: string): ExportSink {
  const temporary = `${path}.${process.pid}.part`;
  let opened: FileHandle | undefined;
  const file = async (): Promise<FileHandle> => (opened ??= await open(temporary, "wx"));
  return {
    write: (text) => orSourceError(path, async () => (await file()).appendFile(text)),
    keep: () =>
      orSourceError(path, async () => {
        const whole = await file();
        await whole.sync();
        await whole.close();
        opened = undefined;
        await rename(temporary, path);
      }),
    discard: async () => {
      await opened?.close().catch(() => undefined);
      await rm(temporary, { force: true }).catch(() => undefined);
    },
  };
}

/** What was written cannot be taken back. */
export function streamSink(stream: NodeJS.WritableStream): ExportSink {
  return {
    write: async (text) => {
      if (!stream.write(text)) await once(stream, "drain");
    },
    keep: () => Promise.resolve(),
    discard: () => Promise.resolve(),
  };
}

async function orSourceError<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new SourceError(`${path} cannot be written: ${(error as NodeJS.ErrnoException).code}.`, { cause: error });
  }
}
