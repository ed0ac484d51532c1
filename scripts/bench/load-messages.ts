/** What the benchmark and its client processes say to each other. */

/** Requests that a client process makes and signs before the clock starts. */
export interface LoadPlan {
  readonly url: string;
  readonly apiKey: string;
  readonly tenantId: string;
  readonly storeId: string;
  readonly agentId: string;
  readonly keyId: number;
  /** Of the signing key, in hex. */
  readonly seed: string;
  readonly batchSize: number;
  readonly commandIds: boolean;
  /** Of this process: each has its own connection and one request under way. */
  readonly callers: number;
  readonly requests: number;
  /** Sets the entities of this process apart from those of the others. */
  readonly prefix: string;
}

export type ToClient =
  | { readonly type: "prepare"; readonly plan: LoadPlan }
  /** Sends for so long, or until there is nothing left to send. */
  | { readonly type: "run"; readonly forMs: number };

export interface ClientRun {
  /** When each request was sent and when its answer was there, in milliseconds since the epoch. */
  readonly started: Float64Array;
  readonly ended: Float64Array;
  /** When the requests ran out before the time did; null when they did not. */
  readonly ranOutAt: number | null;
  readonly errors: number;
  readonly firstError: string | null;
}

export type FromClient = { readonly type: "prepared" } | { readonly type: "ran"; readonly run: ClientRun };
