import { z } from "zod";
import { bytesField } from "../fields.ts";
import { uuidField } from "../ves/index.ts";

/** Whether new payloads are encrypted, and whether those that are stored as text are read. */
export type EncryptionMode = "disabled" | "optional" | "required";

const MODES: Readonly<Record<string, EncryptionMode>> = {
  disabled: "disabled",
  off: "disabled",
  false: "disabled",
  "0": "disabled",
  optional: "optional",
  required: "required",
  on: "required",
  true: "required",
  "1": "required",
};

const key = bytesField(32).meta({ form: "32 bytes in hex or base64" });
const keys = z.array(key).min(1);

/** The variables that say how payloads are encrypted at rest, described as in settings.ts. Messages never repeat a key. */
export const payloadVariables = {
  PAYLOAD_ENCRYPTION_MODE: z
    .string()
    .meta({ form: "required (on, true, 1), optional, disabled (off, false, 0)" })
    .default("required")
    .transform((text, context): EncryptionMode => {
      const name = text.toLowerCase();
      const mode = Object.hasOwn(MODES, name) ? MODES[name] : undefined;
      if (mode !== undefined) return mode;
      context.addIssue({ code: "custom", message: "expected required, optional or disabled" });
      return z.NEVER;
    })
    .describe("Whether payloads are encrypted at rest, and read where they are not: see [below](#encryption-at-rest)"),
  PAYLOAD_ENCRYPTION_KEY: key.optional().meta({
    description: "What payloads are encrypted under; needed unless the mode is `disabled`",
    isSecret: true,
  }),
  PAYLOAD_ENCRYPTION_KEYS: z
    .string()
    .meta({ form: "such keys between commas" })
    .transform((text) => text.split(",").map((part) => part.trim()))
    .pipe(keys)
    .optional()
    .meta({ description: "Several, instead of the one: the first encrypts, all of them decrypt", isSecret: true }),
  PAYLOAD_ENCRYPTION_KEYS_BY_TENANT: z
    .string()
    .meta({ form: "a JSON object of lists of keys by tenant" })
    .default("{}")
    .transform((text, context) => {
      try {
        return JSON.parse(text) as unknown;
      } catch {
        context.addIssue({ code: "custom", message: "expected a JSON object of lists of keys by tenant" });
        return z.NEVER;
      }
    })
    .pipe(z.record(uuidField, keys))
    .meta({
      description: 'Keys of tenants with their own, `{"tenant": ["key", …]}`; what is under a key above stays readable',
      isSecret: true,
    }),
};

const payloadSettings = z.object(payloadVariables);
export type PayloadSettings = z.output<typeof payloadSettings>;
