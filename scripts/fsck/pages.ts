/*
 * Lists that come in pages, read one after the other.
 */

/** Asks for each page while the one before is worked on. */
export async function* readAhead<Page>(pages: AsyncIterable<Page>): AsyncGenerator<Page> {
  const iterator = pages[Symbol.asyncIterator]();
  const ask = (): Promise<IteratorResult<Page>> => {
    const answer = iterator.next();
    // Whoever comes for it hears of a failure; until then, it has not gone unnoticed.
    answer.catch(() => undefined);
    return answer;
  };
  let next = ask();
  try {
    for (;;) {
      const page = await next;
      if (page.done === true) return;
      next = ask();
      yield page.value;
    }
  } finally {
    await iterator.return?.();
  }
}

/** The items of pages, one at a time. */
export interface Items<Item> {
  /** The item that {@link Items.take} gives next; undefined after the last. */
  readonly peek: () => Promise<Item | undefined>;
  readonly take: () => void;
}

export function itemsOf<Item>(pages: AsyncIterable<readonly Item[]>): Items<Item> {
  const iterator = pages[Symbol.asyncIterator]();
  let page: readonly Item[] = [];
  let at = 0;
  let isDone = false;
  return {
    peek: async () => {
      while (at === page.length && !isDone) {
        const next = await iterator.next();
        isDone = next.done === true;
        page = next.done === true ? [] : next.value;
        at = 0;
      }
      return page[at];
    },
    take: () => void at++,
  };
}
