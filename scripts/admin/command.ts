/** One of the commands of `npm run admin`. */
export interface Command {
  /** What it does, in a line without a full stop. */
  readonly summary: string;
  /**
   * @param args what follows the command's name
   * @returns the exit code
   * @throws Error whose message is shown as it is; an error of parseArgs ends with 2, any other with 1
   */
  readonly run: (args: readonly string[]) => Promise<number>;
}
