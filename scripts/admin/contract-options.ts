export const CONTRACT_ACTIONS = ["deploy", "show", "authorize", "revoke"] as const;

type Address = `0x${string}`;

/** What is to be done with the anchoring contract. */
export interface ContractOptions {
  readonly action: (typeof CONTRACT_ACTIONS)[number];
  readonly rpcUrl: string;
  /** Null for deploy. */
  readonly contract: Address | null;
  readonly sequencers: readonly Address[];
  /** Null: whoever deploys. */
  readonly owner: Address | null;
  /** Null for show. */
  readonly privateKey: Address | null;
  readonly isDryRun: boolean;
  readonly json: boolean;
}
