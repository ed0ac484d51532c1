import { type Progress, silentProgress } from "../../../scripts/lib/progress.ts";

const REFRESH_MS = 200;

/** How far work is. */
interface Extent {
  readonly done: number;
  /** 0 while it is not known. */
  readonly total: number;
}

/** Shows how far work is while it is being done. @param measure events that are done, and events in all */
export async function showWork<T>(
  progress: Progress,
  doing: string,
  measure: () => Extent,
  work: () => Promise<T>,
): Promise<T> {
  // Measuring reads the store: not for nobody.
  if (progress === silentProgress) return work();
  let shown: Extent | undefined;
  const show = (): void => {
    const now = measure();
    if (shown?.total !== now.total) progress.startEvents(doing, now.total);
    progress.advance(now.done - (shown?.total === now.total ? shown.done : 0));
    shown = now;
  };
  show();
  const timer = setInterval(show, REFRESH_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    progress.clear();
  }
}
