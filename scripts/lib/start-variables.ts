import { z } from "zod";
import { wholeNumber } from "../../src/settings.ts";

/** What `npm start` itself reads, described as in src/settings.ts. */
export const startVariables = z.object({
  PORT: wholeNumber(1, 65_535).optional().describe("Port to serve on; 8080, or the next free one, when unset"),
  HOST: z.string().meta({ form: "an address" }).default("127.0.0.1").describe("Address to serve on"),
  DATABASE_URL: z
    .string()
    .meta({ form: "postgres://user:password@host:port/database" })
    .optional()
    .meta({ description: "Database of the mirror; when unset, one is run in `.data/postgres`", isSecret: true }),
});

export type StartVariables = z.output<typeof startVariables>;
