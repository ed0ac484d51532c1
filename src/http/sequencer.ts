import { z } from "zod";
import { unavailable } from "../errors.ts";
import type { ReceiptKeyring } from "../ingest/receipt-keys.ts";
import { registryStub } from "../tenant/registry-client.ts";
import { toHex, toRfc3339Offset } from "../ves/index.ts";
import { SERVICE, VERSION } from "../version.ts";
import { endpoint } from "./endpoint.ts";
import { hexText, timeOrNull, timeText, uuidText } from "./schemas.ts";

/** Any registry will do to see whether one can be reached; this one holds nothing unless somebody uses the nil tenant. */
const NIL_UUID = "00000000-0000-0000-0000-000000000000";

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
  endpoint({
    method: "GET",
    path: "/ready",
    tag: "Sequencer",
    summary: "Whether the objects that hold the data can be reached",
    isPublic: true,
    response: z.object({
      status: z.literal("ready"),
      database: z.object({ connected: z.literal(true), response_time_ms: z.number() }),
      pool: z.null(),
    }),
    errors: [503],
    handle: async (c) => {
      const asked = Date.now();
      try {
        await registryStub(c.env, NIL_UUID).hasStore(NIL_UUID);
      } catch (error) {
        console.error("not ready", error);
        throw unavailable("The objects that hold the data cannot be reached");
      }
      return { status: "ready", database: { connected: true, response_time_ms: Date.now() - asked }, pool: null };
    },
  }),
];
