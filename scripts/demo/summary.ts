import type { Anchoring } from "./anchoring.ts";
import type { AgentName } from "./happening.ts";
import type { EntityHistory } from "./history.ts";
import type { Proven } from "./proofs.ts";
import type { Rejection, Replay } from "./push.ts";

export const DOMAINS = ["order", "inventory", "product", "customer", "return"] as const;

export type Domain = (typeof DOMAINS)[number];

/** How fast one part of the work was. */
export interface Pace {
  readonly events: number;
  readonly ms: number;
}

/** Everything that a run of the demo found; printed as it is with --json. */
export interface Summary {
  readonly server: { readonly url: string; readonly startedForDemo: boolean };
  readonly tenantId: string;
  readonly storeId: string;
  readonly seed: string;
  /** The day that was played, as YYYY-MM-DD. */
  readonly day: string;
  readonly agents: readonly {
    readonly name: AgentName;
    readonly agentId: string;
    readonly vesVersion: number;
    readonly events: number;
  }[];
  readonly requests: number;
  readonly accepted: number;
  readonly late: number;
  readonly replayed: number;
  readonly rejected: number;
  readonly domains: Readonly<Record<Domain, number>>;
  readonly replays: readonly Replay[];
  readonly rejections: readonly Rejection[];
  readonly verified: Proven & { readonly receipts: number; readonly keyDirectories: number; readonly events: number };
  readonly anchoring: Anchoring;
  readonly history: EntityHistory;
  readonly paces: {
    readonly sign: Pace;
    readonly push: Pace;
    readonly verifyReceipts: Pace;
    readonly pullAndVerify: Pace;
  };
  readonly explore: {
    readonly docs: string;
    /** May read this store and nothing else. */
    readonly readOnlyKey: string;
    readonly historyUrl: string;
  };
}
