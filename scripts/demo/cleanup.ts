/** What has to be undone before the program ends, however it ends. */
export interface Cleanup {
  readonly add: (undo: () => Promise<void> | void) => void;
  /** Undoes everything, last things first. Once: a second call gives the outcome of the first. */
  readonly run: () => Promise<void>;
  readonly hasBegun: () => boolean;
}

export function newCleanup(): Cleanup {
  const undos: (() => Promise<void> | void)[] = [];
  let running: Promise<void> | undefined;
  const runAll = async (): Promise<void> => {
    for (const undo of undos.toReversed()) await undo();
  };
  return {
    add: (undo) => void undos.push(undo),
    run: () => (running ??= runAll()),
    hasBegun: () => running !== undefined,
  };
}

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** Ends the program properly on Ctrl-C, on a supervisor's signal and when nobody reads its output any more. */
export function endProperly(cleanup: Cleanup): void {
  const end = (code: number): void => {
    void cleanup.run().finally(() => process.exit(code));
  };
  for (const [signal, code] of Object.entries(EXIT_CODES)) process.on(signal, () => end(code));
  process.stdout.on("error", () => end(1));
}
