import { z } from "zod";
import type { ReceiptKeyring } from "../ingest/receipt-keys.ts";
import { toHex, toRfc3339Offset } from "../ves/index.ts";
import { SERVICE, VERSION } from "../version.ts";
import { endpoint } from "./endpoint.ts";
import { hexText, timeOrNull, timeText, uuidText } from "./schemas.ts";

const sequencerKeys = z.object({
  sequencer_id: uuidText,
  keys: z.array(
    z.object({
      key_version: z.int(),
      algorithm: z.literal("ed25519"),
      public_key: hexText,
      valid_from: timeText.nullable(),
      valid_to: timeText.nullable(),
    }),
  ),
});

function keysJson(keyring: ReceiptKeyring): z.output<typeof sequencerKeys> {
  return {
    sequencer_id: keyring.sequencerId,
    keys: keyring.all.map(({ version, key, validFrom, validTo }) => ({
      key_version: version,
      algorithm: "ed25519",
      public_key: toHex(key.publicKey),
      valid_from: timeOrNull(validFrom),
      valid_to: timeOrNull(validTo),
    })),
  };
}

/** The sequencer about itself. */
export const sequencerEndpoints = [
  endpoint({
    method: "GET",
    path: "/api/v1/sequencer/keys",
    tag: "Sequencer",
    summary: "The keys that receipts verify under, newest first",
    isPublic: true,
    response: sequencerKeys,
    handle: (c) => keysJson(c.get("config").receiptKeys),
  }),
  endpoint({
    method: "GET",
    path: "/health",
    tag: "Sequencer",
    summary: "Whether this Worker runs",
    isPublic: true,
    response: z
      .object({ status: z.literal("healthy"), service: z.string(), version: z.string(), timestamp: timeText })
      .extend(sequencerKeys.shape),
    handle: (c) => ({
      status: "healthy",
      service: SERVICE,
      version: VERSION,
      timestamp: toRfc3339Offset(Date.now()),
      ...keysJson(c.get("config").receiptKeys),
    }),
  }),
];
