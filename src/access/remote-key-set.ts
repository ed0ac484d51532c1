import { unavailable } from "../errors.ts";
import { log } from "../observe/log.ts";
import { type KeySet, readKeySet, type VerificationKey } from "./key-set.ts";

/** How long a set counts before it is asked for again: how fast a key that the issuer removed stops working. */
const FRESH_MS = 10 * 60_000;
/** How long it goes on serving while the issuer does not answer. */
const STALE_MS = 24 * 3_600_000;
/** Between two fetches, however many tokens name keys that nobody knows. */
const COOLDOWN_MS = 30_000;
/** The same after a fetch that failed, and after one that never ended: longer than it may take. */
const RETRY_MS = 5_000;
const TIMEOUT_MS = 3_000;
const MAX_BYTES = 256 * 1024;

type Fetch = (url: string, init: RequestInit) => Promise<Response>;

interface Loaded {
  readonly keys: KeySet;
  readonly at: number;
}

/** An issuer's key set behind a URL, as one isolate knows it. At most one fetch is under way at a time. */
export class RemoteKeySet {
  readonly #url: string;
  readonly #fetch: Fetch;
  #loaded: Loaded | null = null;
  #loading: Promise<void> | null = null;
  #nextLoadAt = 0;

  constructor(url: string, fetcher: Fetch = (...request) => fetch(...request)) {
    this.#url = url;
    this.#fetch = fetcher;
  }

  /**
   * The key of this id as the issuer has it now or had it lately, or undefined when it has none.
   *
   * @throws RequestError SERVICE_UNAVAILABLE when the issuer's keys are not known
   */
  async find(kid: string): Promise<VerificationKey | undefined> {
    const known = this.#usable();
    const isFresh = known !== null && Date.now() - known.at < FRESH_MS;
    if (isFresh && known.keys.has(kid)) return known.keys.get(kid);
    // Who finds a fetch under way goes on with what is known, and waits for it only when that is not enough.
    if (Date.now() >= this.#nextLoadAt) await this.#load();
    else if (known?.keys.has(kid) !== true) await this.#untilLoaded();
    const latest = this.#usable();
    if (latest === null) throw unavailable("The keys of this deployment's token issuer cannot be fetched");
    return latest.keys.get(kid);
  }

  #usable(): Loaded | null {
    return this.#loaded !== null && Date.now() - this.#loaded.at < STALE_MS ? this.#loaded : null;
  }

  /** A failure is logged, and leaves what is known. */
  async #load(): Promise<void> {
    const startedAt = Date.now();
    this.#nextLoadAt = startedAt + RETRY_MS;
    try {
      this.#loading = this.#loadSet(startedAt);
      await this.#loading;
      this.#nextLoadAt = startedAt + COOLDOWN_MS;
    } catch (error) {
      log.error("fetching the key set of JWT_JWKS_URL failed", { error: String(error) });
    }
    this.#loading = null;
  }

  /** Whoever began the fetch reports its failure. If its client gave it up, the fetch may never end, so this waits no longer. */
  async #untilLoaded(): Promise<void> {
    if (this.#loading === null) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, TIMEOUT_MS);
    });
    await Promise.race([this.#loading.catch(() => undefined), timeout]);
    clearTimeout(timer);
  }

  async #loadSet(startedAt: number): Promise<void> {
    const response = await this.#fetch(this.#url, {
      headers: { accept: "application/jwk-set+json, application/json" },
      // What is fetched decides who is let in, so it comes from where the setting says and nowhere else.
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const text = await readText(response);
    if (response.status !== 200) throw new Error(`it answered with status ${response.status}`);
    const keys = await readKeySet(JSON.parse(text));
    if (keys === undefined) throw new Error("it answered with something else than a key set");
    this.#loaded = { keys, at: startedAt };
  }
}

async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > MAX_BYTES) throw new Error(`it answered with more than ${MAX_BYTES} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
