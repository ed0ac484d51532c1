import type { SchemaProblem } from "./schema-problem.ts";
import { Containment, type NamedSchema } from "./containment.ts";

export const COMPATIBILITIES = ["backward", "forward", "full", "none"] as const;
/**
 * What a new version must be to the latest active one. `backward`: what was valid is valid, so that new readers read old
 * events. `forward`: what is valid was valid, so that old readers read new events. `full`: both.
 */
export type Compatibility = (typeof COMPATIBILITIES)[number];

/**
 * In what a new version is not compatible with an old one; nothing when it surely is. What cannot be told for sure counts
 * as incompatible: docs/schemas.md says what is compared and how.
 */
export function incompatibilities(
  { latest, next }: { readonly latest: NamedSchema; readonly next: NamedSchema },
  compatibility: Compatibility,
): readonly SchemaProblem[] {
  const backward = compatibility === "backward" || compatibility === "full";
  const forward = compatibility === "forward" || compatibility === "full";
  return [
    ...(backward ? new Containment({ wide: next, narrow: latest }).problems() : []),
    ...(forward ? new Containment({ wide: latest, narrow: next }).problems() : []),
  ];
}
