/** One forward-only step of an object's SQLite schema. Applied steps are never edited: a change is a new step. */
export interface Migration {
  /** 1, 2, 3 … in order of application. */
  readonly id: number;
  readonly name: string;
  readonly sql: string;
}
