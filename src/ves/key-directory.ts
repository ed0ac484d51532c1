import { utf8 } from "./bytes.ts";
import { canonicalJson } from "./jcs.ts";
import type { JsonObject } from "./json.ts";
import { taggedHash } from "./sha256.ts";

const hashDirectory = taggedHash("VES_KEYDIR_V1");

/** What the sequencer signs over an agent's key directory: the answer's body without its own signature (VES 3.5). */
export function keyDirectoryHash(bodyWithoutSignature: JsonObject): Uint8Array {
  return hashDirectory(utf8(canonicalJson(bodyWithoutSignature)));
}
