/** One of the commands of `npm run admin`. */
export interface Command {
  /** What it does, in a line without a full stop. */
  readonly summary: string;
  /**
   * @param args what follows the command's name
   * @returns the exit code
   * @throws UsageError: it is shown with a hint at the help, and the exit code is 2; of any other error the message is
   *   shown as it is, and the exit code is 1
   */
  readonly run: (args: readonly string[]) => Promise<number>;
}
