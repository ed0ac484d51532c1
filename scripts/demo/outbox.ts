import type { WireEnvelope } from "../../src/ves/index.ts";
import { signEvent } from "../lib/signer.ts";
import type { Agents } from "./agents.ts";
import type { Planned } from "./day.ts";
import type { AgentName } from "./happening.ts";

/** What is wrong with an event that the sequencer must not let in. */
export interface Flaw {
  /** In plain language. */
  readonly attempt: string;
  /** How the reason of its rejection begins. */
  readonly reason: string;
}

/** A signed event on its way. */
export interface Outgoing {
  readonly agent: AgentName;
  readonly at: number;
  readonly event: WireEnvelope;
  readonly flaw?: Flaw;
}

/** Enough at a time to keep every thread of the crypto pool busy. */
const SIGNED_AT_ONCE = 64;

/** Every agent signs what it recorded. */
export async function signDay(
  planned: readonly Planned[],
  agents: Agents,
  onSigned: (count: number) => void,
): Promise<Outgoing[]> {
  const signed: Outgoing[] = [];
  for (let i = 0; i < planned.length; i += SIGNED_AT_ONCE) {
    const chunk = planned.slice(i, i + SIGNED_AT_ONCE).map(async ({ agent, at, fact }): Promise<Outgoing> => ({
      agent,
      at,
      event: await signEvent(agents[agent].signer, fact),
    }));
    signed.push(...(await Promise.all(chunk)));
    onSigned(chunk.length);
  }
  return signed;
}
