/** More changes than this make another word of it. */
const MAX_DISTANCE = 2;

/** The one of `names` that `word` is most likely a slip of; undefined when it resembles none. */
export function nearest(word: string, names: readonly string[]): string | undefined {
  const [best] = names
    .map((name) => ({ name, distance: editDistance(word, name) }))
    .filter(({ name, distance }) => distance <= MAX_DISTANCE || (word !== "" && name.startsWith(word)))
    .toSorted((one, other) => one.distance - other.distance);
  return best?.name;
}

/** Letters to be put in, left out or replaced to make one of the other (Levenshtein). */
function editDistance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let line = 0; line < one.length; line++) {
    const next = [line + 1];
    for (let index = 0; index < other.length; index++) {
      const replaced = (row[index] ?? 0) + (one[line] === other[index] ? 0 : 1);
      next.push(Math.min(replaced, (row[index + 1] ?? 0) + 1, (next[index] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
