import { type Context, streamQuery } from "../context.ts";
import type { EntityRef } from "../store/store.ts";
import { ToolError } from "./tool-error.ts";

/**
 * Path of a route about an entity, with the stream as its query.
 *
 * @throws ToolError INVALID_INPUT
 */
export function entityPath(route: string, { entityType, entityId }: EntityRef, context: Context): string {
  return `${route}/${pathPart(entityType)}/${pathPart(entityId)}?${streamQuery(context)}`;
}

function pathPart(name: string): string {
  // However they are written, a URL takes these for steps between its parts.
  if (name === "." || name === "..") throw new ToolError("INVALID_INPUT", `No entity can be asked for as ${name}`);
  return encodeURIComponent(name);
}
