import { pointerTo } from "./schema.ts";

/** One thing that is wrong with a payload: where in it, as a JSON pointer, and what. It never repeats the value itself. */
export interface PayloadProblem {
  readonly path: string;
  readonly message: string;
}

/** Most problems that are told of one payload. */
export const MAX_PROBLEMS = 20;
/** Longest path that is told; the rest of a longer one is cut off. */
const MAX_PATH_LENGTH = 1_000;
/** What one validation may take: so much, and so much for each character of the payload. A step is some ten nanoseconds. */
export const BASE_STEPS = 20_000;
export const STEPS_PER_CHARACTER = 20;
/** Schemas that are applied within one another, each of which takes a few frames of the stack. */
const MAX_NESTED_SCHEMAS = 1_000;

/** Why a validation is not finished. The message is what is told of the payload as a whole. */
export class TooMuchWork extends Error {
  override readonly name = "TooMuchWork";
}

/** One validation: where it is, what it found, and what it may still take. */
export class Run {
  readonly problems: PayloadProblem[] = [];
  /** Steps from the whole payload to the value that is looked at. */
  readonly path: (string | number)[] = [];
  readonly #budget: number;
  #steps = 0;
  #nested = 0;
  /** Above 0 while it is only asked whether a value is valid. */
  #silent = 0;

  constructor(characters: number) {
    this.#budget = BASE_STEPS + STEPS_PER_CHARACTER * characters;
  }

  /** Steps that were taken. */
  get steps(): number {
    return this.#steps;
  }

  /** @throws TooMuchWork */
  readonly spend = (steps: number): void => {
    this.#steps += steps;
    if (this.#steps > this.#budget)
      throw new TooMuchWork("takes too much work to be validated: see the limits of schemas");
  };

  /** Notes a problem of the value that is looked at. */
  fail(message: string): false {
    if (this.#silent === 0 && this.problems.length < MAX_PROBLEMS) {
      const path = pointerTo("", ...this.path);
      this.problems.push({
        path: path.length <= MAX_PATH_LENGTH ? path : `${path.slice(0, MAX_PATH_LENGTH)}…`,
        message,
      });
    }
    return false;
  }

  /** Whether another problem would change nothing. */
  get isSettled(): boolean {
    return this.#silent > 0 || this.problems.length >= MAX_PROBLEMS;
  }

  /** Asks without noting problems. */
  silently(question: () => boolean): boolean {
    this.#silent++;
    const answer = question();
    this.#silent--;
    return answer;
  }

  /** To be called around each schema. @throws TooMuchWork */
  enter(): void {
    this.spend(1);
    if (++this.#nested > MAX_NESTED_SCHEMAS) throw new TooMuchWork("is nested too deeply for its schema");
  }

  leave(): void {
    this.#nested--;
  }
}
