/** What the benchmark asks of its own Worker (index.ts here). */

/** Asked of one object, which is made when it is first named. */
export type ObjectCall =
  /**
   * Appends until this many events are stored, 1,000 at a time through appendEvents, and seals them as they come, 1,024 at
   * a time. Entity ids count on from what is there.
   */
  | { readonly op: "fillTo"; readonly events: number }
  /** Makes batches for the next measurement and keeps them in memory. */
  | {
      readonly op: "prepare";
      readonly batches: number;
      readonly batchSize: number;
      readonly commandIds: boolean;
      /** Picks the entities among this many that fill made, instead of new ones. */
      readonly knownEntities?: number;
      /** Gives the events ids that rise with time (UUIDv7) instead of random ones. */
      readonly orderedIds?: boolean;
      /** Makes them ready for `raw` instead: values bound, numbers given. */
      readonly raw?: boolean;
    }
  /** Stores the prepared batches by appendEvents. `commitEach`: waits for the disk after each batch, not only at the end. */
  | { readonly op: "append"; readonly commitEach: boolean }
  /** The same rows by plain INSERTs, without deciding anything. */
  | { readonly op: "raw"; readonly commitEach: boolean }
  /** Seals this many batches of 1,024 stored events. */
  | { readonly op: "seal"; readonly batches: number }
  /** Seals the next batch of 1,024 stored events and takes it back: all of the work but the commit to disk. */
  | { readonly op: "sealAndUndo" }
  /** Reads the proofs of this many sealed events, anywhere in the log. */
  | { readonly op: "prove"; readonly proofs: number }
  /** As append, and counts the rows that SQLite reports as written. */
  | { readonly op: "countRows" }
  /** One row and one commit, this many times. */
  | { readonly op: "commits"; readonly count: number }
  /** What a call costs by itself. */
  | { readonly op: "nothing" };

export interface ObjectAnswer {
  readonly rowsWritten: number;
}

export const PARTS = [
  "nothing",
  "decode",
  "parseJson",
  "schema",
  "submissionOf",
  "canonicalJson",
  "checkEvent",
  "payloadPlainHash",
  "eventSigningHash",
  "verifyEd25519",
  "validatePayload",
  "encryptPayload",
  "rpc",
  "issueReceipt",
  "sign",
  "stringify",
] as const;

/** A part of what the Worker does for each event. */
export type Part = (typeof PARTS)[number];

/** Asked of the Worker itself. */
export type WorkerCall =
  /** The request body that the parts work on, and the key that signed its events. */
  | { readonly op: "body"; readonly text: string; readonly publicKey: string }
  /** Does one part for every event of the body, `rounds` times over. */
  | { readonly op: "part"; readonly part: Part; readonly rounds: number };

export type BenchCall = WorkerCall | { readonly op: "object"; readonly object: string; readonly call: ObjectCall };
