import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";

/** Who is let in. */
export interface Admission {
  /** What may stand in `Host`: names without a port, lower case. */
  readonly hosts: ReadonlySet<string>;
  /** Port that is served. */
  readonly port: number;
  /** What has to be shown as a bearer token; nothing when absent. */
  readonly token: string | undefined;
}

/** Why a request is turned away. */
export interface Refusal {
  readonly status: 401 | 403;
  readonly message: string;
}

const LOOPBACK_NAMES = ["localhost", "127.0.0.1", "[::1]"];

/** Whether only this machine reaches what listens there, or is asked for by that name. */
export function isLoopback(host: string): boolean {
  return host.toLowerCase() === "localhost" || host === "::1" || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host);
}

/** The names under which a server that listens there is asked for, and others that it is given. */
export function hostNames(host: string, others: readonly string[]): ReadonlySet<string> {
  const own = host.includes(":") ? `[${host}]` : host;
  return new Set([...(isLoopback(host) ? LOOPBACK_NAMES : [own]), ...others].map((name) => name.toLowerCase()));
}

/**
 * Why a request is turned away, or `undefined`. A page in a browser whose name was made to lead here (DNS rebinding) sends its own
 * name as `Host`, and a page of another place says so in `Origin`.
 */
export function refusalOf({ headers }: IncomingMessage, admission: Admission): Refusal | undefined {
  if (!isOurs(headers.host, admission)) {
    return { status: 403, message: "The Host header names another server than this one" };
  }
  const { origin } = headers;
  if (origin !== undefined && !(URL.canParse(origin) && isOurs(new URL(origin).host, admission, new URL(origin)))) {
    return { status: 403, message: "The Origin header names a page of another server" };
  }
  if (admission.token !== undefined && !isSame(headers.authorization ?? "", `Bearer ${admission.token}`)) {
    return { status: 401, message: "A bearer token is needed: the value of STATESET_MCP_TOKEN" };
  }
  return undefined;
}

/** Behind a proxy the port is the proxy's; on this machine it is ours. */
function isOurs(host: string | undefined, { hosts, port }: Admission, origin?: URL): boolean {
  const [, name = "", given] = /^(\[[\da-f:.]+\]|[^:[\]]+)(?::(\d+))?$/i.exec(host ?? "") ?? [];
  if (!hosts.has(name.toLowerCase())) return false;
  const preset = origin?.protocol === "https:" ? 443 : 80;
  return !LOOPBACK_NAMES.includes(name.toLowerCase()) || Number(given ?? preset) === port;
}

/** Takes as long for a token that is nearly right as for any other. */
function isSame(given: string, wanted: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}
