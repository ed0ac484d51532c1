/** What a program leaves behind and has to take away, in reverse order, however it ends. */
export class Cleanup {
  readonly #steps: (() => void)[] = [];
  readonly #asyncSteps: (() => Promise<void>)[] = [];

  constructor() {
    // Synchronous, because Miniflare ends the process on its own once it has killed its workerd.
    process.on("exit", () => this.#runSteps());
    for (const [signal, code] of [
      ["SIGINT", 130],
      ["SIGTERM", 143],
      ["SIGHUP", 129],
    ] as const) {
      // Later than Miniflare's own handler, so that nothing writes any more to what is removed.
      process.on(signal, () => setImmediate(() => process.exit(code)));
    }
  }

  add(step: () => void): void {
    this.#steps.push(step);
  }

  /** Done before the others, and only by {@link run}: a process that is ending cannot wait. */
  addAsync(step: () => Promise<void>): void {
    this.#asyncSteps.push(step);
  }

  async run(): Promise<void> {
    for (const step of this.#asyncSteps.splice(0).toReversed()) await step();
    this.#runSteps();
  }

  #runSteps(): void {
    for (const step of this.#steps.splice(0).toReversed()) {
      try {
        step();
      } catch (error) {
        process.stderr.write(`clean-up: ${String(error)}\n`);
      }
    }
  }
}
