import { streamObjectName, type StreamRef } from "../stream-ref.ts";
import type { StreamSequencer } from "./stream-sequencer.ts";

type Method =
  | "append"
  | "head"
  | "state"
  | "events"
  | "waitForEvents"
  | "event"
  | "entityHistory"
  | "commit"
  | "batch"
  | "batches"
  | "proof"
  | "proofOfEvent"
  | "noteAnchors"
  | "compareWithChain"
  | "restore"
  | "restorationOutlook"
  | "reencrypt"
  | "cursor"
  | "advanceCursor"
  | "fetch";

/**
 * A stream's object as its callers see it. Spelled out because the type that the platform derives does not end on a JSON
 * value, which may hold itself.
 */
export type StreamStub = {
  readonly [Name in Method]: (
    ...args: Parameters<StreamSequencer[Name]>
  ) => Promise<Awaited<ReturnType<StreamSequencer[Name]>>>;
};

/** The object of a stream, for every Worker that has the binding. `near` places it when this is the first call ever: give it for writes only. */
export function streamStub(env: Pick<Env, "STREAMS">, stream: StreamRef, near?: DurableObjectLocationHint): StreamStub {
  const id = env.STREAMS.idFromName(streamObjectName(stream));
  const stub: unknown = near === undefined ? env.STREAMS.get(id) : env.STREAMS.get(id, { locationHint: near });
  return stub as StreamStub;
}

/** Longitude that parts west from east on the two continents with two regions each: about Winnipeg, and Vienna. */
const MID_NORTH_AMERICA = -97;
const MID_EUROPE = 16;

/** The region for a new stream: the one its first writer's connection came in at. */
export function locationHint(cf: IncomingRequestCfProperties | undefined): DurableObjectLocationHint | undefined {
  const longitude = Number(cf?.longitude);
  switch (cf?.continent) {
    case "NA":
      return longitude > MID_NORTH_AMERICA ? "enam" : "wnam";
    case "EU":
      return longitude > MID_EUROPE ? "eeur" : "weur";
    case "SA":
      return "sam";
    case "AS":
      return "apac";
    case "OC":
      return "oc";
    case "AF":
      return "afr";
    default:
      return undefined;
  }
}
