/** A pattern as a tree. Groups are gone: whether a pattern matches does not depend on what it captures. */
export type PatternNode =
  | { readonly kind: "character"; readonly source: string }
  | { readonly kind: "assertion"; readonly assertion: Assertion }
  | { readonly kind: "sequence"; readonly parts: readonly PatternNode[] }
  | { readonly kind: "choice"; readonly options: readonly PatternNode[] }
  | { readonly kind: "repeat"; readonly node: PatternNode; readonly min: number; readonly max: number };

export type Assertion = "^" | "$" | "\\b" | "\\B";

/** The pattern cannot be taken; the message says why, without a subject. */
export class PatternError extends Error {
  override readonly name = "PatternError";
}

/** Most repetitions that a pattern may count. */
const MAX_REPETITIONS = 1_000;

/** One character, literal or escaped. */
const ATOM = /\[(?:\\.|[^\]\\])*\]|\\(?:u\{[^}]*\}|u[dD][89abAB]..\\u[dD][c-fC-F]..|u....|x..|c.|[pP]\{[^}]*\}|.)|./suy;
const QUANTIFIER = /(?:([*+?])|\{(\d+)(,?)(\d*)\})\??/y;

/**
 * Reads a regular expression of ECMAScript with the flag `u`, which is the dialect of JSON Schema.
 *
 * @throws PatternError for one that is not well formed, and for backreferences, lookaround and flags within it: what they
 * match cannot be told in time that grows with the text only
 */
export function parsePattern(pattern: string): PatternNode {
  try {
    // The platform's own parser knows what is well formed, so what follows need not.
    void new RegExp(pattern, "u");
  } catch (error) {
    throw new PatternError(`is no regular expression: ${(error as Error).message}`);
  }
  let at = 0;

  function choice(): PatternNode {
    const options = [sequence()];
    while (pattern[at] === "|") {
      at++;
      options.push(sequence());
    }
    return options.length === 1 ? (options[0] as PatternNode) : { kind: "choice", options };
  }

  function sequence(): PatternNode {
    const parts: PatternNode[] = [];
    while (at < pattern.length && pattern[at] !== "|" && pattern[at] !== ")") parts.push(repeated(term()));
    return { kind: "sequence", parts };
  }

  function term(): PatternNode {
    const next = pattern[at];
    if (next === "^" || next === "$") {
      at++;
      return { kind: "assertion", assertion: next };
    }
    if (next === "(") return group();
    const [source] = match(ATOM) ?? [""];
    if (source === "\\b" || source === "\\B") return { kind: "assertion", assertion: source };
    if (/^\\[1-9k]/.test(source)) throw new PatternError("refers back to what it matched, which is not served");
    return { kind: "character", source };
  }

  function group(): PatternNode {
    const [opening] = match(/\((?:\?(?:<?[=!]|<[^>]*>|[^:]*:))?/y) ?? [""];
    if (/[=!]$/.test(opening)) throw new PatternError("looks ahead or behind, which is not served");
    if (/\?[^<:]/.test(opening)) throw new PatternError("changes flags within it, which is not served");
    const inner = choice();
    at++;
    return inner;
  }

  function repeated(node: PatternNode): PatternNode {
    const quantifier = match(QUANTIFIER);
    if (quantifier === null) return node;
    const [, sign, least, comma, most] = quantifier;
    if (sign !== undefined)
      return { kind: "repeat", node, min: sign === "+" ? 1 : 0, max: sign === "?" ? 1 : Infinity };
    const min = Number(least);
    const unbounded = most === "" ? Infinity : Number(most);
    const max = comma === "" ? min : unbounded;
    if (min > MAX_REPETITIONS || (max !== Infinity && max > MAX_REPETITIONS)) {
      throw new PatternError(`counts more than ${MAX_REPETITIONS} repetitions`);
    }
    return { kind: "repeat", node, min, max };
  }

  function match(syntax: RegExp): RegExpExecArray | null {
    syntax.lastIndex = at;
    const found = syntax.exec(pattern);
    if (found !== null) at = syntax.lastIndex;
    return found;
  }

  return choice();
}
