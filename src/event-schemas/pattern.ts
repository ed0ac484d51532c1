import { type Assertion, parsePattern, PatternError, type PatternNode } from "./pattern-syntax.ts";

/** Longest pattern, in UTF-16 units. */
export const MAX_PATTERN_LENGTH = 512;
/** Most states of one pattern; a counted repetition has those of what it repeats, as often as it counts. */
export const MAX_PATTERN_STATES = 1_000;

/** Takes the work of a match from a budget. */
export type Spend = (steps: number) => void;

type State =
  | { readonly kind: "character"; readonly accepts: (codePoint: number) => boolean }
  | { readonly kind: "assertion"; readonly assertion: Assertion }
  | { readonly kind: "split"; next: number; readonly other: number }
  | { readonly kind: "jump"; readonly to: number }
  | { readonly kind: "match" };

/** Neither a character of the text nor a part of a word: what stands before the beginning and behind the end. */
const NOTHING = -1;

/**
 * A regular expression that is matched in time that grows with the length of the text times that of the pattern, whatever
 * both are: all ways in which the pattern may go on are followed at once, character by character (Thompson's construction).
 * The platform's own regular expressions try them one after the other, which some patterns make take years, and a
 * Worker cannot interrupt them.
 */
export class Pattern {
  readonly #states: State[] = [];
  /** What counted repetitions write out many times is made once. */
  readonly #tests = new Map<string, (codePoint: number) => boolean>();
  /** It can only match at the beginning of a text. */
  readonly #isAnchored: boolean;

  /** @throws PatternError for one that is not well formed, too long or beyond what is served */
  constructor(pattern: string) {
    if (pattern.length > MAX_PATTERN_LENGTH) {
      throw new PatternError(`is longer than ${MAX_PATTERN_LENGTH} characters`);
    }
    const tree = parsePattern(pattern);
    this.#emit(tree);
    this.#add({ kind: "match" });
    this.#isAnchored = beginsWithAnchor(tree);
  }

  get stateCount(): number {
    return this.#states.length;
  }

  /** Whether it matches anywhere in the text, as JSON Schema wants patterns read. */
  test(text: string, spend: Spend): boolean {
    const states = this.#states;
    // Which position a state was last reached at, so that each is followed once for each character.
    const reachedAt = new Int32Array(states.length).fill(-1);
    let current: number[] = [];
    let before = NOTHING;
    for (let position = 0; ;) {
      const codePoint = text.codePointAt(position) ?? NOTHING;
      const next: number[] = [];
      const waiting = position === 0 || !this.#isAnchored ? [...current, 0] : current;
      // Follows what needs no character. It goes on until nothing new is reached.
      for (let state = waiting.pop(); state !== undefined; state = waiting.pop()) {
        if (reachedAt[state] === position) continue;
        reachedAt[state] = position;
        const here = states[state] as State;
        if (here.kind === "match") return true;
        if (here.kind === "split") waiting.push(here.next, here.other);
        else if (here.kind === "jump") waiting.push(here.to);
        else if (here.kind === "assertion") {
          if (holds(here.assertion, before, codePoint)) waiting.push(state + 1);
        } else if (codePoint !== NOTHING && here.accepts(codePoint)) next.push(state + 1);
        spend(1);
      }
      if (codePoint === NOTHING || (next.length === 0 && this.#isAnchored)) return false;
      spend(1);
      current = next;
      before = codePoint;
      position += codePoint > 0xffff ? 2 : 1;
    }
  }

  #emit(node: PatternNode): void {
    switch (node.kind) {
      case "character":
        this.#add({ kind: "character", accepts: this.#testOf(node.source) });
        return;
      case "assertion":
        this.#add(node);
        return;
      case "sequence":
        for (const part of node.parts) this.#emit(part);
        return;
      case "choice":
        this.#emitChoice(node.options);
        return;
      case "repeat":
        this.#emitRepeat(node);
    }
  }

  #emitChoice(options: readonly PatternNode[]): void {
    const [first, ...rest] = options;
    if (first === undefined) return;
    if (rest.length === 0) {
      this.#emit(first);
      return;
    }
    const split = this.#placeholder();
    this.#emit(first);
    const jump = this.#placeholder();
    this.#states[split] = { kind: "split", next: split + 1, other: this.#states.length };
    this.#emitChoice(rest);
    this.#states[jump] = { kind: "jump", to: this.#states.length };
  }

  /** Optional repetitions lie within one another: where the first is missing, so are all others. */
  #emitRepeat({ node, min, max }: PatternNode & { readonly kind: "repeat" }): void {
    for (let copy = 0; copy < min; copy++) this.#emit(node);
    if (max === Infinity) {
      const split = this.#placeholder();
      this.#emit(node);
      this.#add({ kind: "jump", to: split });
      this.#states[split] = { kind: "split", next: split + 1, other: this.#states.length };
      return;
    }
    const splits: number[] = [];
    for (let copy = min; copy < max; copy++) {
      splits.push(this.#placeholder());
      this.#emit(node);
    }
    for (const split of splits) this.#states[split] = { kind: "split", next: split + 1, other: this.#states.length };
  }

  #testOf(source: string): (codePoint: number) => boolean {
    const test = this.#tests.get(source) ?? characterTest(source);
    this.#tests.set(source, test);
    return test;
  }

  /** A state that is known once what follows it is. */
  #placeholder(): number {
    this.#add({ kind: "match" });
    return this.#states.length - 1;
  }

  #add(state: State): void {
    if (this.#states.length >= MAX_PATTERN_STATES) {
      throw new PatternError(`has more than ${MAX_PATTERN_STATES} states, counted repetitions written out`);
    }
    this.#states.push(state);
  }
}

function beginsWithAnchor(node: PatternNode): boolean {
  if (node.kind === "assertion") return node.assertion === "^";
  if (node.kind === "sequence") return node.parts[0] !== undefined && beginsWithAnchor(node.parts[0]);
  return node.kind === "choice" && node.options.every(beginsWithAnchor);
}

function holds(assertion: Assertion, before: number, after: number): boolean {
  if (assertion === "^") return before === NOTHING;
  if (assertion === "$") return after === NOTHING;
  return (isWordCharacter(before) !== isWordCharacter(after)) === (assertion === "\\b");
}

function isWordCharacter(codePoint: number): boolean {
  return codePoint !== NOTHING && /\w/.test(String.fromCodePoint(codePoint));
}

/** What one literal, escape or class matches, as the platform has it: of one character that is no work. */
function characterTest(source: string): (codePoint: number) => boolean {
  const [only, ...others] = source;
  if (only !== undefined && only !== "." && others.length === 0) {
    const wanted = only.codePointAt(0);
    return (codePoint) => codePoint === wanted;
  }
  const expression = new RegExp(`^${source}$`, "u");
  const ascii = Uint8Array.from({ length: 128 }, (_, code) => Number(expression.test(String.fromCharCode(code))));
  return (codePoint) => (codePoint < 128 ? ascii[codePoint] === 1 : expression.test(String.fromCodePoint(codePoint)));
}
