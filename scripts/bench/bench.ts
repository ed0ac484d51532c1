import type { Cleanup } from "./cleanup.ts";
import { LoadClients } from "./load.ts";
import type { Options } from "./options.ts";
import { Servers } from "./servers.ts";

/** What every section works with. */
export class Bench {
  readonly options: Options;
  readonly servers: Servers;
  readonly #cleanup: Cleanup;
  #clients: LoadClients | null = null;

  constructor(options: Options, cleanup: Cleanup) {
    this.options = options;
    this.#cleanup = cleanup;
    this.servers = new Servers(cleanup);
  }

  get clients(): LoadClients {
    this.#clients ??= new LoadClients(this.#cleanup);
    return this.#clients;
  }
}
