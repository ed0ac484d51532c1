import type { SigningKey } from "../../src/ves/index.ts";
import type { AgentEncryption } from "./encryption-settings.ts";
import type { Api } from "./api.ts";
import type { AgentIdentity } from "./signer.ts";
import type { Sockets } from "./sockets.ts";
import type { AgentStore, StreamTables } from "./store/store.ts";
import type { Trust } from "./trust.ts";

/** What all of an agent's work is done with. */
export interface Context {
  readonly identity: AgentIdentity;
  readonly key: SigningKey;
  readonly encryption: AgentEncryption;
  readonly vesVersion: 1 | 2;
  readonly store: AgentStore;
  readonly api: Api;
  /** Undefined where there are no WebSockets. */
  readonly sockets: Sockets | undefined;
  readonly trust: Trust;
  /** Aborted when the agent is closed. */
  readonly closing: AbortController;
  /** Most events of a request. */
  readonly batchEvents: number;
  /** Most characters of a request's events. */
  readonly batchCharacters: number;
  /** Milliseconds for which a process has the outbox for itself while it pushes, if it dies meanwhile. */
  readonly leaseMs: number;
}

/** One transaction on the agent's stream. */
export function transaction<T>({ store, identity }: Context, body: (tables: StreamTables) => T): T {
  return store.transaction(identity, body);
}

/** The stream as a query. */
export function streamQuery({ identity: { tenantId, storeId } }: Context): string {
  return `tenant_id=${tenantId}&store_id=${storeId}`;
}
