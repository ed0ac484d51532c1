import type { Tool } from "./tool.ts";
import { acknowledge } from "./tools/acknowledge.ts";
import { getCursor } from "./tools/get-cursor.ts";
import { getEntityHistory } from "./tools/get-entity-history.ts";
import { getHead } from "./tools/get-head.ts";
import { getInclusionProof } from "./tools/get-inclusion-proof.ts";
import { getProjection } from "./tools/get-projection.ts";
import { recordAction } from "./tools/record-action.ts";
import { waitForEvent } from "./tools/wait-for-event.ts";

const ALL: readonly Tool[] = [
  getHead,
  getEntityHistory,
  getProjection,
  recordAction,
  getInclusionProof,
  getCursor,
  acknowledge,
  waitForEvent,
];

/** The tools of a server: one that only reads has none that writes to the log. */
export function toolsFor({ doesRecord }: { readonly doesRecord: boolean }): readonly Tool[] {
  return doesRecord ? ALL : ALL.filter((tool) => tool !== recordAction);
}
