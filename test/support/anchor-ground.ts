import { type Anvil, startAnvil } from "../../scripts/lib/anvil.ts";
import { type OwnDatabase, ownDatabase } from "./own-database.ts";
import { type RpcProxy, startRpcProxy } from "./rpc-proxy.ts";

/** What worlds of anchoring stand on, one after the other: starting it takes longer than most of what is done there. */
export interface AnchorGround {
  readonly anvil: Anvil;
  readonly proxy: RpcProxy;
  readonly database: OwnDatabase;
  /** Any call to the node, past the proxy. */
  readonly call: (method: string, ...params: readonly unknown[]) => Promise<unknown>;
  /** As new: an empty chain, an empty database, and nothing in the way. */
  readonly clear: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Beside the tables of migrations, which tests change nothing in. */
const EMPTY = `
  DO $$ BEGIN
    EXECUTE (SELECT 'TRUNCATE ' || string_agg(quote_ident(tablename), ', ') || ' RESTART IDENTITY'
               FROM pg_tables WHERE schemaname = 'public' AND tablename LIKE 'ves\\_%' AND tablename <> 'ves_audit_log');
  END $$;
  INSERT INTO ves_anchor_state (id) VALUES (1)`;

export async function anchorGround(serverUrl: string): Promise<AnchorGround> {
  const [anvil, database] = await Promise.all([startAnvil(), ownDatabase(serverUrl)]);
  const proxy = await startRpcProxy(anvil.url);
  const call = async (method: string, ...params: readonly unknown[]): Promise<unknown> => {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
    const answer = await fetch(anvil.url, { method: "POST", headers: { "content-type": "application/json" }, body });
    const { result, error } = (await answer.json()) as { result?: unknown; error?: { message: string } };
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result;
  };
  return {
    anvil,
    proxy,
    database,
    call,
    clear: async () => {
      proxy.rest();
      await call("anvil_dropAllTransactions");
      await call("anvil_reset");
      await call("evm_setAutomine", true);
      await database.query(EMPTY);
    },
    close: async () => {
      await proxy.close();
      await anvil.stop();
      await database.drop();
    },
  };
}
