import { ToolError } from "./tool-error.ts";

/** Does work, unless as much of it is under way as there may be. */
export type Limiter = <T>(work: () => Promise<T>) => Promise<T>;

/**
 * @param most pieces of work at once
 * @param what they are called, in the plural
 */
export function createLimiter(most: number, what: string): Limiter {
  let underWay = 0;
  return async (work) => {
    if (underWay >= most) throw new ToolError("TOO_MANY_CALLS", `${most} ${what} are under way`);
    underWay++;
    try {
      return await work();
    } finally {
      underWay--;
    }
  };
}
